"""The blog: posts by authors, announcements that appear when their time has come, a newsletter."""
