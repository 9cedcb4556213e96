//! What is made of a declaration of records.

/// Declares records and outboxes.
///
/// A record reads: name and type, table, then its fields. Those of the key and those under `fixed`
/// are the same in all its versions. A field may have another name where it is stored (`as`). An
/// index reads: name, columns, and what a record has in them, `None` if it is not in the index;
/// columns of one name are one column. `shown` are columns for people, which no rule reads.
macro_rules! records {
    (
        records {$(
            $(#[$doc:meta])*
            $name:ident: $Record:ident in $table:literal {
                key { $($kf:ident $(as $kname:literal)?: $kty:ty),* $(,)? }
                fixed { $($(#[$fdoc:meta])* $ff:ident $(as $fname:literal)?: $fty:ty),* $(,)? }
                changing { $($(#[$cdoc:meta])* $cf:ident $(as $cname:literal)?: $cty:ty),* $(,)? }
                indexes {$(
                    $(#[$idoc:meta])*
                    $Index:ident($($icol:ident: $ity:ty),*) = |$ir:ident| $ivalue:expr;
                )*}
                shown { $($scol:ident: $sty:ty = |$sr:ident| $svalue:expr;)* }
            }
        )*}
        outboxes {$(
            $(#[$odoc:meta])*
            $oname:ident: $Event:ident in $otable:literal {
                fields { $($(#[$ofdoc:meta])* $of:ident $(as $ofname:literal)?: $ofty:ty),* $(,)? }
                shown { $($ocol:ident: $octy:ty = |$or:ident| $ovalue:expr;)* }
            }
        )*}
    ) => {
        /// A kind of records. Kinds sort in the order in which their records are locked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($Record,)* }

        impl Kind {
            pub const ALL: &'static [Self] = &[$(Self::$Record,)*];

            /// How its records are stored.
            pub fn schema(self) -> &'static Schema {
                static SCHEMAS: LazyLock<Vec<Schema>> =
                    LazyLock::new(|| vec![$($Record::schema(),)*]);
                &SCHEMAS[self as usize]
            }

            /// The record that was packed like this.
            pub fn unpack(self, packed: &Packed) -> Result<Record, StoreError> {
                Ok(match self {
                    $(Self::$Record => Record::$Record(Arc::new(packed.unpack(self.schema().name)?)),)*
                })
            }
        }

        /// A record of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Record { $($Record(Arc<$Record>),)* }

        impl Record {
            pub fn kind(&self) -> Kind {
                match self { $(Self::$Record(_) => Kind::$Record,)* }
            }

            pub fn key(&self) -> Key {
                match self { $(Self::$Record(record) => record.key(),)* }
            }

            /// What is stored of it.
            pub fn pack(&self) -> Packed {
                match self { $(Self::$Record(record) => record.pack(),)* }
            }

            /// Its place in one index of its kind, or one thing that is shown of it.
            fn part_of(&self, entry: usize) -> Option<Vec<Part>> {
                match self { $(Self::$Record(record) => $Record::ENTRIES[entry](record),)* }
            }

            /// Whether the other is of the same kind and has the same key and fixed fields.
            pub fn may_become(&self, other: &Self) -> bool {
                match (self, other) {
                    $((Self::$Record(one), Self::$Record(other)) => {
                        $(one.$kf == other.$kf &&)* $(one.$ff == other.$ff &&)* true
                    })*
                    _ => false,
                }
            }

            fn entries(&self) -> Vec<Option<Vec<Part>>> {
                match self {
                    $(Self::$Record(record) => {
                        $Record::ENTRIES.iter().map(|entry| entry(record)).collect()
                    })*
                }
            }
        }

        /// A kind of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Outbox { $($Event,)* }

        impl Outbox {
            pub const ALL: &'static [Self] = &[$(Self::$Event,)*];

            /// How its events are stored.
            pub fn schema(self) -> &'static Schema {
                static SCHEMAS: LazyLock<Vec<Schema>> =
                    LazyLock::new(|| vec![$($Event::schema(),)*]);
                &SCHEMAS[self as usize]
            }

            /// The event that was packed like this.
            pub fn unpack(self, packed: Vec<u8>) -> Result<Event, StoreError> {
                let packed = Packed::of_joined(packed);
                Ok(match self {
                    $(Self::$Event => Event::$Event(packed.unpack(self.schema().name)?),)*
                })
            }
        }

        /// An event of any kind.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Event { $($Event($Event),)* }

        impl Event {
            pub fn outbox(&self) -> Outbox {
                match self { $(Self::$Event(_) => Outbox::$Event,)* }
            }

            /// What is stored of it.
            pub fn pack(&self) -> Vec<u8> {
                match self { $(Self::$Event(event) => event.pack(),)* }
            }

            fn entries(&self) -> Vec<Option<Vec<Part>>> {
                match self { $(Self::$Event(event) => event.entries(),)* }
            }
        }

        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            pub struct $Record {
                $($(#[serde(rename = $kname)])? pub $kf: $kty,)*
                $($(#[$fdoc])* $(#[serde(rename = $fname)])? pub $ff: $fty,)*
                $($(#[$cdoc])* $(#[serde(rename = $cname)])? pub $cf: $cty,)*
            }

            impl $Record {
                /// By their keys.
                pub const KEY: Index<Self> = Index::new(0);

                records!(@indexes (1) $($(#[$idoc])* $Index)*);

                /// The key of one of them.
                pub fn at($($kf: &$kty),*) -> At<Self> {
                    let mut parts = Vec::new();
                    $($kf.parts(&mut parts);)*
                    At::new(parts)
                }

                /// Its place in each index, then what is shown of it.
                const ENTRIES: &[fn(&Self) -> Option<Vec<Part>>] = &[
                    |record| Some(record.key().parts),
                    $(|record| {
                        let value = |$ir: &Self| -> Option<($($ity,)*)> { $ivalue };
                        let ($($icol,)*) = value(record)?;
                        let mut parts = Vec::new();
                        $($icol.parts(&mut parts);)*
                        Some(parts)
                    },)*
                    $(|record| {
                        let value = |$sr: &Self| -> Option<$sty> { $svalue };
                        Some(parts_of(&value(record)?))
                    },)*
                ];

                fn schema() -> Schema {
                    let fields = vec![
                        $(Field { name: records!(@name $kf $($kname)?), changes: false },)*
                        $(Field { name: records!(@name $ff $($fname)?), changes: false },)*
                        $(Field { name: records!(@name $cf $($cname)?), changes: true },)*
                    ];
                    let key = [$(<$kty>::columns(records!(@name $kf $($kname)?))),*].concat();
                    let indexes = vec![
                        IndexSchema { name: "KEY", columns: key.clone() },
                        $(IndexSchema {
                            name: stringify!($Index),
                            columns: [$(<$ity>::columns(stringify!($icol))),*].concat(),
                        },)*
                    ];
                    let shown = vec![$(<$sty>::columns(stringify!($scol))),*];
                    Schema::new((stringify!($name), $table), fields, key, indexes, shown)
                }

                fn pack(&self) -> Packed {
                    Packed {
                        fixed: Packer::default()
                            $(.field(records!(@name $kf $($kname)?), &self.$kf))*
                            $(.field(records!(@name $ff $($fname)?), &self.$ff))*
                            .finish(),
                        changing: Packer::default()
                            $(.field(records!(@name $cf $($cname)?), &self.$cf))*
                            .finish(),
                    }
                }
            }

            impl Stored for $Record {
                const KIND: Kind = Kind::$Record;

                fn key(&self) -> Key {
                    Self::at($(&self.$kf),*).key
                }

                fn of(record: &Record) -> Option<&Arc<Self>> {
                    match record {
                        Record::$Record(record) => Some(record),
                        _ => None,
                    }
                }

                fn of_mut(record: &mut Record) -> Option<&mut Self> {
                    match record {
                        Record::$Record(record) => Some(Arc::make_mut(record)),
                        _ => None,
                    }
                }

                fn into_record(self) -> Record {
                    Record::$Record(Arc::new(self))
                }
            }
        )*

        $(
            $(#[$odoc])*
            #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
            pub struct $Event {
                $($(#[$ofdoc])* $(#[serde(rename = $ofname)])? pub $of: $ofty,)*
            }

            impl $Event {
                fn entries(&self) -> Vec<Option<Vec<Part>>> {
                    vec![$({
                        let value = |$or: &Self| -> Option<$octy> { $ovalue };
                        value(self).map(|value| parts_of(&value))
                    },)*]
                }

                fn schema() -> Schema {
                    let fields =
                        vec![$(Field { name: records!(@name $of $($ofname)?), changes: false },)*];
                    let shown = vec![$(<$octy>::columns(stringify!($ocol))),*];
                    Schema::new((stringify!($oname), $otable), fields, Vec::new(), Vec::new(), shown)
                }

                fn pack(&self) -> Vec<u8> {
                    Packer::default()
                        $(.field(records!(@name $of $($ofname)?), &self.$of))*
                        .finish()
                }
            }

            impl From<$Event> for Event {
                fn from(event: $Event) -> Self {
                    Self::$Event(event)
                }
            }
        )*
    };

    (@name $field:ident) => { stringify!($field) };
    (@name $field:ident $name:literal) => { $name };

    (@indexes ($place:expr)) => {};
    (@indexes ($place:expr) $(#[$doc:meta])* $Index:ident $($rest:tt)*) => {
        $(#[$doc])*
        pub const $Index: Index<Self> = Index::new($place);
        records!(@indexes ($place + 1) $($rest)*);
    };
}

pub(super) use records;
