"""Each signal and the resolver over all of them."""
