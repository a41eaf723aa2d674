"""Why an answer is what it is: two classes that fight, training images that are near.

Nothing here decides whether an image is other; that is up to the threshold alone.
"""

from outgroup.reasons.reasons import Reasons, learn_reasons
from outgroup.reasons.references import LIMIT, References, as_directions

__all__ = ["LIMIT", "Reasons", "References", "as_directions", "learn_reasons"]
