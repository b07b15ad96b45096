"""The outside world behind `ports`: Alpaca camera and focuser, guider, clock."""
