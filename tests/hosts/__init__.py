"""Several hosts on one machine: network namespaces on a switch, and the product on them, under load."""
