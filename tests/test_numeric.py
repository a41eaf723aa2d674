import numpy as np

from outgroup._numeric import centre_and_scale, median_or_one


def test_a_deviation_that_is_only_rounding_is_replaced_by_one() -> None:
    assert median_or_one(np.full(5, 1e-9)) == 1.0
    assert median_or_one(np.array([])) == 1.0
    np.testing.assert_array_equal(centre_and_scale(np.full(5, 7.0)), [7.0, 1.0])
    np.testing.assert_array_equal(centre_and_scale(np.array([np.inf, np.nan])), [0.0, 1.0])
