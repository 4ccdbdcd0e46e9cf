"""What both articles promise beyond the shop: service, opinion, demand and stock, other shops and sectors."""
