"""The companion of a manual session: what to do next with the focuser, and when the focus of a night has gone."""
