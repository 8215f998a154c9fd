"""The functions behind the routes, by subject. mirror/web/routes.py says who may call them."""
