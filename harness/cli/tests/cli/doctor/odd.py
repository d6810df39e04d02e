#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A small adapter without the kit that keeps to PROTOCOL.md, or with `--bad NAME[,NAME]` breaks parts of it.

The tests of `stateline doctor` run it. Its client logs in and stays connected; how well it does so is of
no interest.
"""

import json
import os
import random
import sys
import time

# It is started very often: a parser of arguments would be most of that time.
ARGUMENTS = dict(zip(sys.argv[1::2], sys.argv[2::2]))
BAD = set(ARGUMENTS.get("--bad", "").split(","))
CLIENTS = int(ARGUMENTS.get("--clients", "2"))
REUSE = ARGUMENTS.get("--reuse", "yes") == "yes"
LACKS = ["joinWithCompletion", "leaveWithCompletion", "sendMessage", "setLocalUserAttributes"]
SHARED = {"closed": 0}
SECOND = 1_000_000


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Client:
    def __init__(self, opening):
        self.random = random.Random(opening["seed"])
        self.uid = opening["uid"]
        self.now = 0
        self.out = []
        self.timers = {}  # by name: when it is due
        self.conns = 0
        self.conn = None
        self.login = None
        self.token = ""
        self.born = time.monotonic()
        if "unseeded" in BAD:
            self.random = random.Random()
        if "leftovers" in BAD:
            self.conns = SHARED["closed"]

    def tell(self, kind, **more):
        self.out.append({"kind": kind, **more})

    def state(self, name, reason):
        self.tell("state", data={"state": "CONNECTION_STATE_" + name, "reason": "CONNECTION_CHANGE_REASON_" + reason})

    def dial(self):
        if "no-dial" in BAD:
            return
        self.conns += 1
        self.conn = self.conns
        self.tell("dial", conn=self.conn)
        if "same-conn" in BAD:
            self.tell("dial", conn=self.conn)

    def call(self, entry):
        call, op = entry["call"], entry["op"]
        if op in ("loginByToken", "login"):
            if "call-fails" in BAD:
                raise RuntimeError("no token service")
            if self.login is None and "ping" not in self.timers:
                self.login = call
                self.token = entry["args"].get("token", "")
                self.state("CONNECTING", "LOGIN")
                self.dial()
                self.timers["timeout"] = self.now + 6 * SECOND
        elif op in ("logoutWithCompletion", "logout"):
            self.timers.clear()
            if self.conn is not None:
                self.tell("close", conn=self.conn)
                self.conn = None
            self.login = None
            self.state("DISCONNECTED", "LOGOUT")
            data = {} if "no-code" in BAD else {"code": "0"}
            self.tell("result", call=call, data=data)
        elif "ignores-calls" in BAD:
            pass
        elif "answers-calls" in BAD:
            self.tell("result", call=call, data={"code": "1"})
        else:
            self.tell("unsupported", call=call)

    def opened(self, entry):
        if entry["conn"] == self.conn:
            frame = {"op": "login", "id": 1, "user": self.uid, "token": self.token}
            self.tell("send", conn=self.conn, text=json.dumps(frame))

    def message(self, entry):
        if entry["conn"] != self.conn:
            return
        if "short-frames" in BAD and len(entry["text"]) > 1_000_000:
            raise RuntimeError("frame too long")
        try:
            frame = json.loads(entry["text"])
        except RecursionError:
            if "shallow" in BAD:
                os._exit(7)
            return
        except ValueError:
            if "frames-unguarded" in BAD:
                raise
            return
        for part in frame if isinstance(frame, list) else [frame]:
            if isinstance(part, dict):
                self.receive(part)

    def receive(self, frame):
        if frame.get("op") == "pong" and "dies-of-pongs" in BAD:
            os._exit(7)
        if frame.get("op") == "welcome":
            if "prints" in BAD:
                print("welcome", flush=True)
            self.timers = {"ping": self.now + SECOND}
            self.state("CONNECTED", "LOGIN_SUCCESS")
            if self.login is not None:
                self.tell("result", call=self.login, data={"code": "0"})
                self.login = None

    def dial_failed(self, entry):
        self.closed(entry)

    def closed(self, entry):
        if "dies-of-strays" in BAD and entry["conn"] != self.conn:
            os._exit(7)
        if entry["conn"] == self.conn:
            self.conn = None
            self.timers.pop("ping", None)
            self.timers["dial"] = self.now + int(SECOND * (0.1 + self.random.random()))

    def fire(self, name):
        if name == "ping":
            self.tell("send", conn=self.conn, text='{"op":"ping","id":2}')
            self.timers["ping"] = self.now + SECOND + int(self.random.random() * 1000)
        elif name == "dial":
            self.dial()
        elif name == "timeout" and "spins" in BAD:
            self.timers["timeout"] = self.now
        elif name == "timeout" and self.login is not None:
            if self.conn is not None:
                self.tell("close", conn=self.conn)
                self.conn = None
            self.timers.clear()
            self.state("DISCONNECTED", "LOGIN_TIMEOUT")
            self.tell("result", call=self.login, data={"code": "9"})
            self.login = None

    def turn(self, now, entries):
        if "sleeps" in BAD:
            time.sleep((now - self.now) / 1e6)
        if "wakes" in BAD and not self.timers and now - self.now >= 3600 * SECOND:
            self.state("DISCONNECTED", "LOGOUT")
        if "prints-always" in BAD:
            print("a turn", flush=True)
        self.now = now
        if "restless" in BAD and not entries and self.timers and min(self.timers.values()) > now:
            self.timers = {name: due + 1 for name, due in self.timers.items()}
        if "ticks" in BAD and "ping" in self.timers and time.monotonic() - self.born > 0.6:
            self.tell("event", event="tick", data={})
        for entry in entries:
            getattr(self, entry["kind"].replace("-", "_"))(entry)
        for name in [name for name, due in self.timers.items() if due <= now]:
            if name in self.timers and self.timers[name] <= now:
                del self.timers[name]
                self.fire(name)
        out, self.out = self.out, []
        due = min(self.timers.values(), default=None)
        if "wall-clock" in BAD and due is not None:
            due += 1_704_067_200_000_000
        if "past" in BAD and due is not None and now > 0:
            due = now - 1
        if "no-next" in BAD and due is None:
            return {"output": out}
        return {"output": out, "next_us": due}


def need(params, key, kind):
    value = params.get(key) if isinstance(params, dict) else None
    if kind is int and "lenient-numbers" in BAD and isinstance(value, str):
        return int(value)
    if type(value) is not kind:
        raise Refused(-32602, f"{key} is missing or of the wrong type")
    return value


class Adapter:
    def __init__(self):
        self.clients = {}
        self.used = set()
        self.answers = 0
        self.profile = None

    def hello(self, params):
        versions = params["versions"]
        if "first-version" in BAD:
            versions = versions[:1]
        if 1 not in versions and "any-version" not in BAD:
            raise Refused(-32001, "version 1 is spoken here")
        about = {
            "version": 1,
            "client": {"name": "odd", "version": "1"},
            "profiles": ["agora-rtm-1x"],
            "time": ["lockstep"],
            "clients": CLIENTS,
            "reuse": REUSE,
            "unsupported": list(LACKS),
        }
        if "no-client-key" in BAD:
            del about["client"]
        if "typo-key" in BAD:
            about["unsuported"] = about.pop("unsupported")
        if "typo-profile" in BAD:
            about["profiles"] = ["agora-rtm-1.x"]
        if "real-only" in BAD:
            about["time"] = ["real"]
        if "typo-unsupported" in BAD:
            about["unsupported"].append("joinWithCompletions")
        self.profile = about["profiles"][0]
        return about

    def open(self, params):
        number, uid = need(params, "client", int), need(params, "uid", str)
        if "any-profile" not in BAD and (params["profile"], params["time"]) != (self.profile, "lockstep"):
            raise Refused(-32602, "neither is offered here")
        if "open-fails" in BAD:
            raise RuntimeError("no licence")
        if "open-unsupported" in BAD:
            return {"unsupported": "no such variant"}
        if "plain-users" in BAD and not uid.isalnum():
            raise Refused(-32602, "what a name")
        if "small-numbers" in BAD and number >= 1 << 31:
            raise OverflowError("too large")
        if number in self.used and "opens-twice" not in BAD:
            raise Refused(-32602, f"client {number} was opened before")
        if "strict-keys" in BAD and len(params) > 8:
            raise Refused(-32602, "unknown key")
        self.used.add(number)
        self.clients[number] = Client(params)
        return {}

    def client(self, params):
        number = need(params, "client", int)
        if "forgiving" in BAD and self.clients:
            return self.clients.get(number) or next(iter(self.clients.values()))
        if number not in self.clients:
            raise Refused(-32602, f"no client {number} is open")
        return self.clients[number]

    def turn(self, params):
        client = self.client(params)
        if need(params, "now_us", int) < client.now and "back-in-time" not in BAD:
            raise Refused(-32602, "time goes back")
        if "shares" in BAD and len(self.clients) > 1:
            client.random = next(iter(self.clients.values())).random
        if "turn-fails" in BAD:
            raise RuntimeError("no turns today")
        if "defaults" in BAD:
            params.setdefault("input", [])
        now, entries = need(params, "now_us", int), need(params, "input", list)
        for entry in entries:
            if "any-input" not in BAD and need(entry, "kind", str) not in (
                "call",
                "opened",
                "dial-failed",
                "message",
                "closed",
            ):
                raise Refused(-32602, "no such input")
        if "any-input" in BAD:
            entries = [entry for entry in entries if isinstance(entry, dict) and "kind" in entry]
            entries = [entry for entry in entries if hasattr(client, entry["kind"].replace("-", "_"))]
        return client.turn(now, entries)

    def echo(self, params):
        if "data" not in params:
            raise Refused(-32602, "data is missing")
        data = params["data"]
        if "echo-text" in BAD:
            data = str(data)
        if "strips" in BAD and isinstance(data, str):
            data = data.replace("\0", "")
        return {"data": data}

    def close(self, params):
        self.client(params)
        if "close-fails" in BAD:
            raise RuntimeError("cannot close")
        if "close-all" in BAD:
            self.clients.clear()
        else:
            del self.clients[params["client"]]
        if not self.clients:
            SHARED["closed"] += 1
        return {}

    def bye(self, params):
        if "leaves" in BAD:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        return {}

    def answer(self, line):
        number = None
        try:
            try:
                request = json.loads(line.decode())
            except (ValueError, RecursionError):
                if "dies-of-garbage" in BAD:
                    raise SystemExit(7)
                code = -32603 if "one-code" in BAD else -32700
                raise Refused(code, "no JSON") from None
            number = request.get("id") if isinstance(request, dict) else None
            if number is None or request.get("jsonrpc") != "2.0" or not isinstance(request.get("method"), str):
                if "silent-to-strangers" in BAD:
                    return None
                if isinstance(request, dict) and number is None and "answers-notifications" not in BAD:
                    return None
                raise Refused(-32600, "no request")
            run = getattr(self, request["method"] or "none", None)
            if request["method"] not in ("hello", "open", "turn", "echo", "close", "bye"):
                raise Refused(-32603 if "no-method" in BAD else -32601, "no such method")
            params = request.get("params", {})
            if not isinstance(params, dict):
                raise Refused(-32602, "params are no object")
            result = run(params)
            answer = {"result": result}
        except Refused as refused:
            answer = {"error": {"code": refused.code, "message": str(refused)}}
        except Exception as error:
            print(repr(error), file=sys.stderr, flush=True)
            answer = {"error": {"code": -32603, "message": repr(error)}}
        self.answers += 1
        if "wrong-id" in BAD and self.answers > 3 and number is not None:
            number = str(number)
        answer = json.dumps({"jsonrpc": "2.0", "id": number, **answer}) + "\n"
        if "twice" in BAD and self.answers > 3:
            answer += answer
        return answer


def main():
    if "no-start" in BAD:
        raise RuntimeError("no configuration")
    if "mute" in BAD:
        sys.stdin.read()
    if "banner" in BAD:
        print("odd SDK 1.0", flush=True)
    adapter = Adapter()
    for line in sys.stdin.buffer:
        if "strict-order" in BAD and line.startswith((b'{"params"', b"{ ")):
            line = b"{"
        if "short-lines" in BAD and len(line) > 65_536:
            line = b"{"
        if "bare-lines" in BAD and line.endswith(b"\r\n"):
            line = b"{"
        if line.strip() == b"" and "answers-nothing" not in BAD:
            continue
        answer = adapter.answer(line)
        if answer is not None:
            sys.stdout.write(answer)
            sys.stdout.flush()
        if b'"method":"bye"' in line:
            if "lingers" in BAD:
                time.sleep(30)
            sys.exit(3 if "exit-code" in BAD else 0)
    if "outlives-stdin" in BAD:
        time.sleep(30)


if __name__ == "__main__":
    main()
