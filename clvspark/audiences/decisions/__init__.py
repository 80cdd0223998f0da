"""The next best action: offers ranked by what they are expected to bring, within what consent, caps and stock allow."""
