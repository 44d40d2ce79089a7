"""What the Python plugins share; installed beside each of them."""
