"""What both senders of simulated patients share: their settings, what they remember over restarts, how they count."""
