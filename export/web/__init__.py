"""A bundle as a folder for browsers: the page without a server. The modules of the page's engine are in ``js``."""
