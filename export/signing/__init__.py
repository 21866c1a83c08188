"""A bundle is signed with a site's own key, offline."""
