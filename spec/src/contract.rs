//! The contract as data: the clauses of `spec/contract/`, parsed.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Serialize;

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
    /// The heading of its section.
    pub topic: String,
    /// The sentences, with lines joined.
    pub text: String,
}

/// How binding a clause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, strum::EnumString, strum::Display)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Level {
    Must,
    Should,
    May,
    /// No longer in force; the id is never used again.
    Retired,
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
    #[error("{chapter}: heading {heading:?} is not `### ID · LEVEL · method, …`")]
    Heading { chapter: &'static str, heading: String },
    #[error("{chapter}: {id} names {name:?}, which is no method of the trait")]
    UnknownMethod { chapter: &'static str, id: String, name: String },
    #[error("{chapter}: {id} has no text")]
    NoText { chapter: &'static str, id: String },
    #[error("{0} is given to two clauses")]
    Twice(String),
}

const SOURCES: [(&str, &str); 4] = [
    ("system", include_str!("../contract/00-system.md")),
    ("executions", include_str!("../contract/01-executions.md")),
    ("flows", include_str!("../contract/02-flows.md")),
    ("housekeeping", include_str!("../contract/03-housekeeping.md")),
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
    let [id, level, methods] =
        heading.split(" · ").collect::<Vec<_>>().try_into().map_err(|_| malformed())?;
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
        topic: topic.to_owned(),
        text,
    })
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} · {}  {}", self.id, self.level, self.text)
    }
}
