"""What flows: records (one piece of content by one author) and events about them."""
