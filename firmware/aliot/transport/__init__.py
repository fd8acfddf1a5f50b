"""The stream contract: what carries MQTT and HTTPS.

    readinto(view) what is there without blocking, into a buffer: its count, 0 when nothing is
    write(data)    takes all, or raises
    ready(ms)      whether a byte can be read without blocking, waiting at most ms for one
    close()        may be called twice
    deadline       a Deadline that bounds all operations together, or None: each has `timeout` ms of its own

A short read raises Closed, a reset Reset, a missed deadline TimedOut, a refusal TlsError or
CertificateError. A deadline is for the whole operation: a peer that sends a byte now and then, or without end,
does not stretch it. After any of these the stream is dead: close it. Only DNS is not bounded; the chip cannot.

A credential opens the stream of its kind: aliot.transport.tls, or aliot.transport.itls.
"""
