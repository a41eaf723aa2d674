"""HTML pages made by Jinja2 from ``templates``, and plots made by matplotlib."""
