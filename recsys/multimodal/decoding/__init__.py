"""Files from strangers to arrays, in worker processes; modules here stay light, a worker imports them."""
