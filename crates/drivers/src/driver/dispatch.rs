//! The macro that makes the enums over all drivers.

/// Makes `AnyOptions`, `AnyDriver`, `AnyRequest`, `AnyConnection` and `AnySession`, enums over the
/// drivers that dispatch by `match`: no future of a request is boxed.
macro_rules! drivers {
    ($($(#[$doc:meta])* $name:ident($driver:ty)),* $(,)?) => {
        /// The kinds of services there are.
        pub const KINDS: &[&str] = &[$(<$driver as Driver>::KIND),*];

        /// The keys of a service of any kind.
        #[non_exhaustive]
        pub enum AnyOptions {
            $($(#[$doc])* $name(<$driver as Driver>::Options)),*
        }

        /// A driver of any kind.
        #[non_exhaustive]
        pub enum AnyDriver {
            $($(#[$doc])* $name($driver)),*
        }

        /// A compiled action of any kind.
        #[non_exhaustive]
        pub enum AnyRequest {
            $($(#[$doc])* $name(<$driver as Driver>::Request)),*
        }

        /// A connection of any kind.
        #[non_exhaustive]
        pub enum AnyConnection {
            $($(#[$doc])* $name(<$driver as Driver>::Connection)),*
        }

        /// What one user keeps for one service of any kind.
        #[non_exhaustive]
        pub enum AnySession {
            $($(#[$doc])* $name(<$driver as Driver>::Session)),*
        }

        impl AnyOptions {
            /// Reads the keys of a service of this kind.
            ///
            /// # Errors
            ///
            /// There is no such kind, or the keys are not its own.
            pub fn deserialize<'de, D: serde::Deserializer<'de>>(
                kind: &str,
                deserializer: D,
            ) -> Result<Self, D::Error> {
                $(if kind == <$driver as Driver>::KIND {
                    return serde::Deserialize::deserialize(deserializer).map(Self::$name);
                })*
                Err(serde::de::Error::unknown_variant(kind, KINDS))
            }

            /// The schema of the keys of each kind.
            pub fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$((
                    <$driver as Driver>::KIND,
                    generator.subschema_for::<<$driver as Driver>::Options>(),
                )),*]
            }
        }

        impl AnyDriver {
            /// See [`Driver::new`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn new(
                options: AnyOptions,
                context: &ServiceContext,
                scope: &mut Scope,
            ) -> Result<Self, SpecError> {
                match options {
                    $(AnyOptions::$name(options) => {
                        Driver::new(options, context, scope).map(Self::$name)
                    })*
                }
            }

            /// The value of `kind`.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => <$driver as Driver>::KIND),*
                }
            }

            /// The actions it understands, by the keys of a step.
            #[must_use]
            pub fn actions(&self) -> &'static [&'static str] {
                match self {
                    $(Self::$name(_) => <$driver as Driver>::ACTIONS),*
                }
            }

            /// What a new user keeps.
            #[must_use]
            pub fn session(&self) -> AnySession {
                match self {
                    $(Self::$name(_) => AnySession::$name(Default::default())),*
                }
            }

            /// See [`Driver::address`].
            #[must_use]
            pub fn address(&self) -> Option<&Address> {
                match self {
                    $(Self::$name(driver) => driver.address()),*
                }
            }

            /// See [`Driver::compile`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn compile(
                &self,
                action: &ActionSpec,
                scope: &mut Scope,
            ) -> Result<AnyRequest, SpecError> {
                match self {
                    $(Self::$name(driver) => driver.compile(action, scope).map(AnyRequest::$name)),*
                }
            }

            /// See [`Driver::connect`].
            ///
            /// # Errors
            ///
            /// As there.
            pub async fn connect(&self, values: &Values) -> Result<AnyConnection, Failure> {
                match self {
                    $(Self::$name(driver) => {
                        driver.connect(values).await.map(AnyConnection::$name)
                    })*
                }
            }

            /// See [`Driver::traits`].
            #[must_use]
            pub fn traits(&self, request: &AnyRequest) -> Traits {
                match (self, request) {
                    $((Self::$name(driver), AnyRequest::$name(request)) => driver.traits(request),)*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::variants`].
            #[must_use]
            pub fn variants(&self, request: &AnyRequest) -> Vec<String> {
                match (self, request) {
                    $((Self::$name(driver), AnyRequest::$name(request)) => {
                        driver.variants(request)
                    })*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::has_unknown_variants`].
            #[must_use]
            pub fn has_unknown_variants(&self, request: &AnyRequest) -> bool {
                match (self, request) {
                    $((Self::$name(driver), AnyRequest::$name(request)) => {
                        driver.has_unknown_variants(request)
                    })*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::show`].
            ///
            /// # Errors
            ///
            /// As there.
            pub fn show(&self, request: &AnyRequest, values: &Values) -> Result<String, Failure> {
                match (self, request) {
                    $((Self::$name(driver), AnyRequest::$name(request)) => {
                        driver.show(request, values)
                    })*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::is_open`].
            pub fn is_open(&self, connection: &mut AnyConnection) -> bool {
                match (self, connection) {
                    $((Self::$name(driver), AnyConnection::$name(connection)) => {
                        driver.is_open(connection)
                    })*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::exchange`].
            pub async fn exchange(
                &self,
                connection: &mut AnyConnection,
                session: &mut AnySession,
                request: &AnyRequest,
                values: &Values,
                answer: &mut Answer,
            ) -> Outcome {
                match (self, connection, session, request) {
                    $((
                        Self::$name(driver),
                        AnyConnection::$name(connection),
                        AnySession::$name(session),
                        AnyRequest::$name(request),
                    ) => driver.exchange(connection, session, request, values, answer).await,)*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::rows`].
            ///
            /// # Errors
            ///
            /// As there.
            pub async fn rows(
                &self,
                connection: &mut AnyConnection,
                session: &mut AnySession,
                request: &AnyRequest,
                values: &Values,
                row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
            ) -> Result<(), Failure> {
                match (self, connection, session, request) {
                    $((
                        Self::$name(driver),
                        AnyConnection::$name(connection),
                        AnySession::$name(session),
                        AnyRequest::$name(request),
                    ) => driver.rows(connection, session, request, values, row).await,)*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::setting`].
            ///
            /// # Errors
            ///
            /// As there.
            pub async fn setting(
                &self,
                connection: &mut AnyConnection,
                name: &str,
            ) -> Result<String, Failure> {
                match (self, connection) {
                    $((Self::$name(driver), AnyConnection::$name(connection)) => {
                        driver.setting(connection, name).await
                    })*
                    _ => unreachable!("{MIXED}"),
                }
            }

            /// See [`Driver::reset`].
            pub async fn reset(&self) -> bool {
                match self {
                    $(Self::$name(driver) => driver.reset().await),*
                }
            }
        }
    };
}
