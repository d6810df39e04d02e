# SPDX-License-Identifier: MIT OR Apache-2.0
"""A stand-in for your SDK, so that the adapter runs before you have changed anything. Delete it then.

It logs in, sends heartbeats and logs out over the wire of stateline's lab. It does not notice that a
network is gone, and never reconnects, so some cases pass and some fail.
"""

import json


class DemoSdk:
    """`network` connects, sends and closes; `later(seconds, fn)` gives something that can be cancelled;
    `listener` is the application."""

    def __init__(self, user, network, later, listener):
        self.user = user
        self.network = network
        self.later = later
        self.listener = listener
        self.state = "DISCONNECTED"
        self.conn = None
        self.timer = None
        self.token = self.login_done = self.logout_done = None

    def login(self, token, done):
        if self.state != "DISCONNECTED":
            return done("LOGIN_ERR_ALREADY_LOGIN")
        self.token, self.login_done = token, done
        self._become("CONNECTING", "LOGIN")
        self.conn = self.network.connect()
        self.timer = self.later(6, lambda: self._fail("LOGIN_TIMEOUT", "LOGIN_ERR_TIMEOUT"))

    def logout(self, done):
        if self.state == "DISCONNECTED":
            return done("LOGOUT_ERR_USER_NOT_LOGGED_IN")
        if self.state == "CONNECTED":
            self._send("logout")
        self._fail("LOGOUT", "LOGIN_ERR_UNKNOWN")
        done("LOGOUT_ERR_OK")

    def on_open(self, conn):
        self._send("login", user=self.user, token=self.token)

    def on_text(self, conn, text):
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return
        op = message.get("op") if isinstance(message, dict) else None
        if op == "welcome" and self.state == "CONNECTING":
            self._become("CONNECTED", "LOGIN_SUCCESS")
            self._complete("LOGIN_ERR_OK")
            self._heartbeat()
        elif op == "refused" and self.state == "CONNECTING":
            code = {"invalid-token": "INVALID_TOKEN", "token-expired": "TOKEN_EXPIRED"}
            self._fail("LOGIN_FAILURE", "LOGIN_ERR_" + code.get(message.get("code"), "REJECTED"))

    def on_close(self, conn, code):
        if conn == self.conn and self.state != "DISCONNECTED":
            self.conn = None
            reason = "INTERRUPTED" if self.state == "CONNECTED" else "LOGIN_FAILURE"
            self._fail(reason, "LOGIN_ERR_UNKNOWN")

    def _heartbeat(self):
        self._send("ping")
        self.timer = self.later(1, self._heartbeat)

    def _fail(self, reason, code):
        if self.conn is not None:
            self.network.close(self.conn)
            self.conn = None
        self._become("DISCONNECTED", reason)
        self._complete(code)

    def _complete(self, code):
        done, self.login_done = self.login_done, None
        if done is not None:
            done(code)

    def _become(self, state, reason):
        if self.timer is not None:
            self.timer.cancel()
        self.state = state
        self.listener.on_state("CONNECTION_STATE_" + state, "CONNECTION_CHANGE_REASON_" + reason)

    def _send(self, op, **fields):
        self.network.send(self.conn, json.dumps({"op": op, "id": 1, **fields}))
