//! Addresses of servers, which often have a password.

use std::fmt;

/// The URL of a server. Its passwords show as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole of it, for the client library.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServerUrl {
    /// Hides rather too much than too little, as what cannot be parsed may have a password too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = match self.0.find("://") {
            Some(end) => self.0.split_at(end + 3),
            None => ("", &*self.0),
        };
        f.write_str(scheme)?;
        let place = match rest.rsplit_once('@') {
            Some((who, place)) => {
                let user = who.split_once(':').map_or(who, |(user, _)| user);
                let hidden = if user == who { "" } else { ":***" };
                write!(f, "{user}{hidden}@")?;
                place
            }
            None => rest,
        };
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        f.write_str(place)?;
        for (number, parameter) in query.split('&').filter(|it| !it.is_empty()).enumerate() {
            f.write_str(if number == 0 { "?" } else { "&" })?;
            match parameter.split_once('=') {
                Some((name, _)) if name.contains("pass") => write!(f, "{name}=***")?,
                _ => f.write_str(parameter)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_do_not_show() {
        for (url, shown) in [
            ("postgres://u:secret@h:1/d", "postgres://u:***@h:1/d"),
            ("valkey://:secret@h", "valkey://:***@h"),
            ("postgres://u:secret@secret@h/d", "postgres://u:***@h/d"),
            ("postgres://u:secret/secret@h", "postgres://u:***@h"),
            ("postgres://h/d?password=secret&user=u", "postgres://h/d?password=***&user=u"),
            ("postgres://h/d?sslpassword=secret", "postgres://h/d?sslpassword=***"),
            ("postgres://u:sec?ret@h/d", "postgres://u:***@h/d"),
            ("u:secret@h", "u:***@h"),
            ("postgres://u@h/d?options[a]=1", "postgres://u@h/d?options[a]=1"),
            ("nonsense", "nonsense"),
        ] {
            assert_eq!(ServerUrl::new(url).to_string(), shown);
            assert_eq!(format!("{:?}", ServerUrl::new(url)), format!("\"{shown}\""));
        }
    }
}
