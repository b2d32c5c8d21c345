//! How a setting is declared: its doc comment is its help text.

macro_rules! settings {
    ($(#[doc = $help:literal] $setting:ident: $value:ty = $default:expr,)+) => {
        /// The values of all settings.
        #[derive(Clone, Debug)]
        pub struct Config {
            $(#[doc = $help] pub $setting: $value,)+
            origins: std::collections::BTreeMap<&'static str, Origin>,
        }

        /// A flag for each setting.
        #[derive(Clone, Default, clap::Args)]
        pub struct Flags {
            /// The TOML file to read; by default `lethe.toml` in the working directory, else in `/etc/lethe`, if any.
            #[arg(long, global = true, value_name = "FILE", hide = true)]
            pub config: Option<PathBuf>,
            $(
                #[doc = $help]
                #[arg(
                    long,
                    global = true,
                    value_name = "VALUE",
                    hide = true,
                    allow_negative_numbers = true
                )]
                pub $setting: Option<String>,
            )+
        }

        impl Flags {
            /// Those that were given, by the names of their settings.
            fn given(&self) -> std::collections::BTreeMap<String, String> {
                let flags = [$((stringify!($setting), &self.$setting)),+];
                let flags = flags.into_iter();
                flags.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect()
            }
        }

        impl Config {
            pub const SETTINGS: &'static [&'static str] = &[$(stringify!($setting)),+];

            /// The name of every setting, and what it means.
            pub const HELP: &'static [(&'static str, &'static str)] =
                &[$((stringify!($setting), $help)),+];

            /// Reads each setting from the highest layer that has it, then checks them together.
            pub fn of(layers: &Layers) -> Result<Self, ConfigError> {
                layers.refuse_unknown(Self::SETTINGS)?;
                let mut origins = std::collections::BTreeMap::new();
                $(
                    let (read, origin) = match layers.find(stringify!($setting)) {
                        Some((text, origin)) => (<$value as Value>::read(text), origin),
                        None => (DefaultValue::value($default), Origin::Default),
                    };
                    let $setting: $value = read.map_err(|reason| ConfigError {
                        setting: stringify!($setting).to_owned(),
                        reason,
                        origin: origin.clone(),
                    })?;
                    origins.insert(stringify!($setting), origin);
                )+
                let config = Self { $($setting,)+ origins };
                config.check()?;
                Ok(config)
            }

            /// For each setting its name, its value without secrets, and its origin.
            pub fn entries(&self) -> Vec<(&'static str, String, &Origin)> {
                vec![$((
                    stringify!($setting),
                    Value::redacted(&self.$setting),
                    self.origin(stringify!($setting)),
                ),)+]
            }
        }
    };
}
