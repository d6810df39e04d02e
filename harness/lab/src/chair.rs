//! The client's chair: what can be known at its end of the link, and what its application holds.
//!
//! Loss is an interval with two ends: what was heard last, and when the client must be sure. Where
//! answers are still on their way when a cut begins, the loss is told only when the last of them
//! has arrived, so that its first end is right. Not responsible for links or for the server's view.
//!
//! Invariant: losses and returns alternate, and there are none without service.

use smol_str::SmolStr;
use stateline_core::time::Micros;
use stateline_core::value::{Fields, Value};

/// A client's service was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When the client last heard something.
    pub heard: Micros,
    /// When it must be sure: one heartbeat after the cut, or the reset itself.
    pub sure: Micros,
    /// What did it.
    pub kind: &'static str,
}

/// What one client knows and holds.
#[derive(Clone, Debug, Default)]
pub struct Chair {
    /// The connection that it is served on, by the client's own number.
    conn: Option<u32>,
    heard: Micros,
    /// A cut whose last answers are still under way.
    pending: Option<Pending>,
    /// While service is lost: the number of the first message that ends it.
    lost: Option<u64>,
    /// What the application holds by calls that succeeded.
    pub app: Holdings,
    /// The attributes on the server did not agree at the last accept.
    pub owes_attributes: bool,
    /// The channels on the server did not agree at the last accept.
    pub owes_channels: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    sure: Micros,
    kind: &'static str,
    mark: u64,
}

/// What an application holds by calls that succeeded.
#[derive(Clone, Debug, Default)]
pub struct Holdings {
    logged_in: bool,
    /// Channels that it joined and did not leave, in order.
    pub channels: Vec<SmolStr>,
    /// Attributes that it set.
    pub attributes: Option<Value>,
}

impl Holdings {
    /// A call completed successfully.
    pub fn call_done(&mut self, op: &str, args: &Fields) {
        match op {
            "login" if !self.logged_in => *self = Self { logged_in: true, ..Self::default() },
            "logout" => *self = Self::default(),
            "join" => {
                if let Some(channel) = args.text("channel").map(SmolStr::from)
                    && !self.channels.contains(&channel)
                {
                    self.channels.push(channel);
                }
            }
            "leave" => {
                self.channels.retain(|joined| Some(joined.as_str()) != args.text("channel"));
            }
            "set-attributes" => self.attributes = args.get("attributes").cloned(),
            _ => {}
        }
    }

    /// The session ended, and the application was told: its next login starts afresh.
    pub const fn expelled(&mut self) {
        self.logged_in = false;
    }
}

impl Chair {
    /// Whether the client is served.
    #[must_use]
    pub const fn served(&self) -> bool {
        self.conn.is_some() && self.lost.is_none()
    }

    /// The connection that the client is served on, or was when service was lost.
    #[must_use]
    pub const fn conn(&self) -> Option<u32> {
        self.conn
    }

    /// Nothing that the server sends arrives any more.
    pub fn cut(&mut self, now: Micros, period: Micros, kind: &'static str) -> Option<Loss> {
        if self.pending.is_some() {
            return self.settle(false);
        }
        if !self.served() {
            return None;
        }
        self.lost = Some(0);
        Some(Loss { heard: self.heard, sure: now + period, kind })
    }

    /// The server answers no more, but what it has sent before the message with number `mark`
    /// still arrives.
    pub fn cut_off(&mut self, now: Micros, period: Micros, kind: &'static str, mark: u64) {
        if self.served() && self.pending.is_none() {
            self.pending = Some(Pending { sure: now + period, kind, mark });
        }
    }

    /// The number of the first message that a pending cut concerns.
    #[must_use]
    pub fn mark(&self) -> Option<u64> {
        self.pending.map(|pending| pending.mark)
    }

    /// Tells a pending loss unless answers from before the cut are still under way.
    pub fn settle(&mut self, under_way: bool) -> Option<Loss> {
        if under_way {
            return None;
        }
        let Pending { sure, kind, .. } = self.pending.take()?;
        self.lost = Some(u64::MAX);
        Some(Loss { heard: self.heard, sure, kind })
    }

    /// The server hears and answers again; only messages from `next` on show it.
    pub fn restored(&mut self, next: u64) {
        self.pending = None;
        if self.lost == Some(u64::MAX) {
            self.lost = Some(next);
        }
    }

    /// A connection was closed or reset, and the client knows.
    pub fn gone(&mut self, now: Micros, conn: u32, kind: &'static str) -> Option<Loss> {
        if self.conn != Some(conn) {
            return None;
        }
        let told = self.lost.is_some();
        self.conn = None;
        self.pending = None;
        // From here on only an accepted login brings service back.
        self.lost = Some(u64::MAX);
        if told { None } else { Some(Loss { heard: now, sure: now, kind }) }
    }

    /// The client closed a connection. Its own doing is no loss; one that was about to be told is.
    pub fn dropped(&mut self, conn: u32) -> Option<Loss> {
        if self.conn != Some(conn) {
            return None;
        }
        let loss = self.settle(false);
        self.conn = None;
        loss
    }

    /// A message arrived; gives `true` when service is back by it.
    pub fn hears(&mut self, now: Micros, conn: u32, seq: u64) -> bool {
        if self.conn != Some(conn) {
            return false;
        }
        self.heard = now;
        if self.lost.is_some_and(|from| seq >= from) {
            self.lost = None;
            return true;
        }
        false
    }

    /// A login was accepted; gives whether it was on the old connection when service is back by it.
    pub fn accepted(&mut self, now: Micros, conn: u32) -> Option<bool> {
        let same = self.conn == Some(conn);
        self.heard = now;
        self.conn = Some(conn);
        self.pending = None;
        self.lost.take().map(|_| same)
    }

    /// Service ended by a logout or an expulsion, which is no loss.
    pub fn ended(&mut self) {
        self.conn = None;
        self.pending = None;
        self.lost = None;
        self.owes_attributes = false;
        self.owes_channels = false;
    }

    /// The application's logout completed. A client that said so on its connection is known
    /// already; one that could not has nothing to lose any more.
    pub fn logged_out(&mut self) {
        self.owes_attributes = false;
        self.owes_channels = false;
        if self.lost.is_some() {
            self.ended();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Micros = Micros::from_secs(1);

    fn served() -> Chair {
        let mut chair = Chair::default();
        assert_eq!(chair.accepted(Micros(5), 1), None);
        chair
    }

    #[test]
    fn silence_has_two_ends_and_a_second_loss_belongs_to_the_first() {
        let mut chair = served();
        let loss = chair.cut(Micros(10), S, "black-hole").unwrap();
        assert_eq!(loss, Loss { heard: Micros(5), sure: Micros(10) + S, kind: "black-hole" });
        assert_eq!(chair.cut(Micros(11), S, "black-hole"), None);
        assert_eq!(chair.gone(Micros(12), 1, "reset"), None);
        assert!(!chair.hears(Micros(13), 1, 7));
        assert_eq!(chair.accepted(Micros(14), 2), Some(false));
    }

    #[test]
    fn answers_on_their_way_are_heard_before_the_loss_is_told() {
        let mut chair = served();
        chair.cut_off(Micros(10), S, "mute", 4);
        assert_eq!(chair.settle(true), None);
        assert!(!chair.hears(Micros(20), 1, 3));
        let loss = chair.settle(false).unwrap();
        assert_eq!((loss.heard, loss.sure), (Micros(20), Micros(10) + S));
        // What was sent while the server was deaf shows nothing.
        assert!(!chair.hears(Micros(30), 1, 5));
        chair.restored(6);
        assert!(!chair.hears(Micros(40), 1, 5));
        assert!(chair.hears(Micros(50), 1, 6));
    }

    #[test]
    fn without_service_nothing_is_lost() {
        let mut chair = Chair::default();
        assert_eq!(chair.cut(Micros(1), S, "black-hole"), None);
        let mut chair = served();
        chair.ended();
        assert_eq!(chair.gone(Micros(1), 1, "reset"), None);
        let mut chair = served();
        assert_eq!(chair.dropped(1), None);
        assert_eq!(chair.cut(Micros(1), S, "black-hole"), None);
    }

    #[test]
    fn an_application_holds_what_its_calls_achieved() {
        let mut app = Holdings::default();
        let lobby = Fields::new().with("channel", "lobby");
        app.call_done("login", &Fields::new());
        app.call_done("join", &lobby);
        app.call_done("join", &lobby);
        app.call_done("login", &Fields::new());
        assert_eq!(app.channels, ["lobby"]);
        app.call_done("leave", &lobby);
        assert!(app.channels.is_empty());
        app.call_done("join", &lobby);
        app.expelled();
        app.call_done("login", &Fields::new());
        assert!(app.channels.is_empty());
    }
}
