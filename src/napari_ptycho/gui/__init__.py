"""The window: docks that read forms, start jobs and show updates; they compute nothing."""
