//! The contract as data: the clauses of `spec/contract/`, parsed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::call::Method;

/// One chapter: a file of clauses about one subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chapter {
    /// The file's name without number and ending: `executions`.
    pub name: &'static str,
    pub title: String,
    pub clauses: Vec<Clause>,
}

/// One rule. Its id is permanent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clause {
    pub id: String,
    pub level: Level,
    pub binds: Binds,
    pub origin: Origin,
    /// The version of the contract that brought it.
    pub since: Version,
    /// The heading of its section.
    pub topic: String,
    /// The sentences, with lines joined.
    pub text: String,
}

/// How binding a clause is.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::EnumString,
    strum::Display,
)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Level {
    Must,
    Should,
    May,
    /// No longer in force; the id is never used again.
    Retired,
}

/// Where a clause comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(into = "String")]
pub enum Origin {
    /// A line of a document that the project was created from says so.
    Seed { document: u16, line: u32 },
    /// Nothing else would be sound.
    Sense,
    /// We chose it, where the seeds are silent or contradict each other.
    Decided,
}

/// A version of the contract: later ones add clauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Version {
    pub major: u16,
    pub minor: u16,
}

/// The methods that a clause constrains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Binds {
    /// Every method of the trait.
    All,
    These(Vec<Method>),
}

impl Binds {
    /// Whether the method is named, or all are meant.
    pub fn includes(&self, method: Method) -> bool {
        match self {
            Self::All => true,
            Self::These(methods) => methods.contains(&method),
        }
    }
}

/// Why a chapter cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    #[error("{chapter}: the first line is not a `# ` heading")]
    NoTitle { chapter: &'static str },
    #[error(
        "{chapter}: heading {heading:?} is not `### ID · LEVEL · method, … · origin · since X.Y`"
    )]
    Heading { chapter: &'static str, heading: String },
    #[error("{chapter}: {id} names {name:?}, which is no method of the trait")]
    UnknownMethod { chapter: &'static str, id: String, name: String },
    #[error("{chapter}: {id} has no text")]
    NoText { chapter: &'static str, id: String },
    #[error("{0} is given to two clauses")]
    Twice(String),
}

const SOURCES: [(&str, &str); 7] = [
    ("system", include_str!("../contract/00-system.md")),
    ("executions", include_str!("../contract/01-executions.md")),
    ("flows", include_str!("../contract/02-flows.md")),
    ("housekeeping", include_str!("../contract/03-housekeeping.md")),
    ("suspension", include_str!("../contract/04-suspension.md")),
    ("metering", include_str!("../contract/05-metering.md")),
    ("events", include_str!("../contract/06-events.md")),
];

/// All chapters, in order.
pub fn chapters() -> &'static [Chapter] {
    static CHAPTERS: LazyLock<Vec<Chapter>> =
        LazyLock::new(|| read_all().expect("a test reads the chapters that are built in"));
    &CHAPTERS
}

/// All clauses in force, in order.
pub fn clauses() -> impl Iterator<Item = &'static Clause> {
    let all = chapters().iter().flat_map(|chapter| &chapter.clauses);
    all.filter(|clause| clause.level != Level::Retired)
}

impl Version {
    pub fn first() -> Self {
        versions().first().copied().expect("the contract has clauses")
    }

    pub fn latest() -> Self {
        versions().last().copied().expect("the contract has clauses")
    }
}

/// The versions of the contract, oldest first.
pub fn versions() -> Vec<Version> {
    let versions: BTreeSet<Version> = clauses().map(|clause| clause.since).collect();
    versions.into_iter().collect()
}

/// The clause with this id.
pub fn clause(id: &str) -> Option<&'static Clause> {
    clauses().find(|clause| clause.id == id)
}

fn read_all() -> Result<Vec<Chapter>, ContractError> {
    let chapters = SOURCES
        .iter()
        .map(|(name, source)| read_chapter(name, source))
        .collect::<Result<Vec<_>, _>>()?;
    let mut ids: Vec<_> =
        chapters.iter().flat_map(|chapter| &chapter.clauses).map(|clause| &clause.id).collect();
    ids.sort();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(ContractError::Twice(pair[0].clone())),
        None => Ok(chapters),
    }
}

fn read_chapter(chapter: &'static str, source: &str) -> Result<Chapter, ContractError> {
    let mut lines = source.lines().peekable();
    let title = lines
        .next()
        .and_then(|line| line.strip_prefix("# "))
        .ok_or(ContractError::NoTitle { chapter })?
        .to_owned();
    let mut clauses = Vec::new();
    let mut topic = String::new();
    while let Some(line) = lines.next() {
        if let Some(section) = line.strip_prefix("## ") {
            section.clone_into(&mut topic);
        }
        let Some(heading) = line.strip_prefix("### ") else {
            continue;
        };
        let mut body = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            body.push(line.trim());
        }
        clauses.push(read_clause(chapter, &topic, heading, &body)?);
    }
    Ok(Chapter { name: chapter, title, clauses })
}

fn read_clause(
    chapter: &'static str,
    topic: &str,
    heading: &str,
    body: &[&str],
) -> Result<Clause, ContractError> {
    let malformed = || ContractError::Heading { chapter, heading: heading.to_owned() };
    let [id, level, methods, origin, since] =
        heading.split(" · ").collect::<Vec<_>>().try_into().map_err(|_| malformed())?;
    let since = since.strip_prefix("since ").and_then(|version| version.parse().ok());
    let well_formed = id.split_once('-').is_some_and(|(prefix, number)| {
        prefix.len() == 3
            && prefix.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 3
            && number.bytes().all(|b| b.is_ascii_digit())
    });
    if !well_formed {
        return Err(malformed());
    }
    let binds = if methods == "every method" {
        Binds::All
    } else {
        let parse = |name: &str| {
            Method::parse(name).ok_or_else(|| ContractError::UnknownMethod {
                chapter,
                id: id.to_owned(),
                name: name.to_owned(),
            })
        };
        Binds::These(methods.split(", ").map(parse).collect::<Result<_, _>>()?)
    };
    let text = body.join(" ").trim().to_owned();
    if text.is_empty() {
        return Err(ContractError::NoText { chapter, id: id.to_owned() });
    }
    Ok(Clause {
        id: id.to_owned(),
        level: Level::from_str(level).map_err(|_| malformed())?,
        binds,
        origin: origin.parse().map_err(|_| malformed())?,
        since: since.ok_or_else(malformed)?,
        topic: topic.to_owned(),
        text,
    })
}

/// What stands in the place of an origin or a version and is neither.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not {1}")]
pub struct Malformed(String, &'static str);

impl FromStr for Origin {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let seed = |text: &str| {
            let (document, line) = text.strip_prefix("seed ")?.split_once(':')?;
            Some(Self::Seed { document: document.parse().ok()?, line: line.parse().ok()? })
        };
        match text {
            "sense" => Some(Self::Sense),
            "decided" => Some(Self::Decided),
            _ => seed(text),
        }
        .ok_or_else(|| Malformed(text.to_owned(), "`seed DOCUMENT:LINE`, `sense` or `decided`"))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seed { document, line } => write!(f, "seed {document:03}:{line}"),
            Self::Sense => f.write_str("sense"),
            Self::Decided => f.write_str("decided"),
        }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl TryFrom<String> for Version {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl FromStr for Version {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let parse = || {
            let (major, minor) = text.split_once('.')?;
            Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
        };
        parse().ok_or_else(|| Malformed(text.to_owned(), "a version of the contract, as 0.1 is"))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}  {}", self.id, self.level, self.text)
    }
}
