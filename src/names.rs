//! The names of the values of an enum, as the API shows them.

/// Gives an enum its names: `ALL`, `as_str` and `Serialize`, from one table that the compiler keeps complete.
macro_rules! names {
    ($enum:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $enum {
            /// Every value, in the order of the table.
            pub const ALL: [$enum; [$($name),*].len()] = [$($enum::$variant),*];

            /// The name in the API.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($enum::$variant => $name),*
                }
            }
        }

        impl serde::Serialize for $enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        #[cfg(test)]
        impl schemars::JsonSchema for $enum {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($enum).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str)})
            }
        }
    };
}
