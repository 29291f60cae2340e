"""How the demonstration starts gunicorn; what a release does not know, it leaves out."""

workers = 2
accesslog = None
loglevel = "warning"
# It would be a file outside the state directory.
control_socket_disable = True
