#!/usr/bin/env python3
"""The adapter between stateline and an SDK. Replace the five places that say FILL, in their order.

It runs as it is, with `demo_sdk.py` in the place of your SDK. `stateline_adapter.py` speaks to stateline:
leave it as it is, and read its `Client` and `Host` for what can be called here and from here.
"""

from demo_sdk import DemoSdk
from stateline_adapter import Client, serve

# FILL IN 1/5: who your client is, and what it lacks. Reports show name and version. Cases that call a
# method of `unsupported` are not applicable. README.md lists the methods of the profile.
ABOUT = dict(
    name="demo-sdk",
    version="1.0.0",
    profiles=["agora-rtm-1x"],
    unsupported=["joinWithCompletion", "leaveWithCompletion", "sendMessage", "setLocalUserAttributes"],
)


class Adapter(Client):
    """One client of a case: one instance of the SDK, from `open` to `close`."""

    def __init__(self, host, opening):
        super().__init__(host, opening)
        # FILL IN 2/5: make your SDK's client for the user `opening.uid`. It connects to nothing yet. All
        # chance has to come from `host.random`, and the wall clock is `host.wall_ms()`.
        self.sdk = DemoSdk(opening.uid, network=self, later=self.later, listener=self)

    # FILL IN 3/5: calls to methods of your SDK. `args` has what the profile lists for the method. A call
    # completes with `host.result`, now or later; a method that there is not is `host.unsupported`.
    def call(self, call, op, args):
        def done(code):
            self.host.result(call, code)

        if op == "loginByToken":
            self.sdk.login(args["token"], done)
        elif op == "logoutWithCompletion":
            self.sdk.logout(done)
        else:
            self.host.unsupported(call)

    # FILL IN 4/5: callbacks of your SDK to what the application is told: `host.state` for each report of
    # the connection state, `host.event` for every other callback. Use the SDK's own words or numbers.
    def on_state(self, state, reason):
        self.host.state(state, reason)

    # FILL IN 5/5: your SDK's network and timers. What it would do with a socket, it does here, and what
    # would come from one is handed to it; what it would do with a clock, it does with `host.after`.
    def connect(self):
        return self.host.dial()

    def send(self, conn, text):
        self.host.send(conn, text)

    def close(self, conn):
        self.host.close(conn)

    def later(self, seconds, fn):
        return self.host.after(seconds * 1_000_000, fn)

    def opened(self, conn):
        self.sdk.on_open(conn)

    def message(self, conn, text):
        self.sdk.on_text(conn, text)

    def closed(self, conn, code):
        self.sdk.on_close(conn, code)

    def dial_failed(self, conn):
        self.sdk.on_close(conn, None)


if __name__ == "__main__":
    serve(Adapter, **ABOUT)
