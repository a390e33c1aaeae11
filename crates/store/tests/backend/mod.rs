//! The databases that the suites run against: SQLite files, and a real PostgreSQL that is started here.

// Each suite uses a part of this.
#![allow(dead_code, clippy::print_stderr)]

pub(crate) mod server;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder that is removed when the test ends.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("usher-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// One empty database, and a way to it that can be closed and opened.
pub(crate) struct Database {
    pub(crate) url: String,
    way: Way,
    pub(crate) folder: Folder,
}

enum Way {
    /// The file's name is taken by a folder while the database is "down".
    Sqlite(PathBuf),
    /// A forwarder on a port of ours, running while the database is "up".
    Postgres { port: u16, server: u16, forwarder: Option<tokio::task::JoinHandle<()>> },
}

impl Database {
    /// An empty database that cannot be reached yet; `None` if this backend is not installed.
    pub(crate) async fn down(backend: Backend) -> Option<Database> {
        let folder = Folder::new();
        match backend {
            Backend::Sqlite => {
                let file = folder.path("usher.db");
                std::fs::create_dir(&file).unwrap();
                Some(Database { url: format!("sqlite:{}", file.display()), way: Way::Sqlite(file), folder })
            }
            Backend::Postgres => {
                let server = server::port()?;
                let name = server::create_database(server);
                let port = server::free_port();
                let url = format!("postgres://postgres@127.0.0.1:{port}/{name}");
                Some(Database { url, way: Way::Postgres { port, server, forwarder: None }, folder })
            }
        }
    }

    pub(crate) async fn up(backend: Backend) -> Option<Database> {
        let mut database = Database::down(backend).await?;
        database.open().await;
        Some(database)
    }

    /// Makes it reachable.
    pub(crate) async fn open(&mut self) {
        match &mut self.way {
            Way::Sqlite(file) => std::fs::remove_dir(file).unwrap(),
            Way::Postgres { port, server, forwarder } => {
                let (port, server) = (*port, *server);
                let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
                *forwarder = Some(tokio::spawn(async move {
                    // Dropping the set, when this task is aborted, breaks every connection.
                    let mut connections = tokio::task::JoinSet::new();
                    while let Ok((mut near, _)) = listener.accept().await {
                        connections.spawn(async move {
                            if let Ok(mut far) = tokio::net::TcpStream::connect(("127.0.0.1", server)).await {
                                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                            }
                        });
                    }
                }));
            }
        }
    }

    /// Breaks every connection and takes no new ones. PostgreSQL only.
    pub(crate) async fn cut(&mut self) {
        if let Way::Postgres { forwarder, .. } = &mut self.way
            && let Some(forwarder) = forwarder.take()
        {
            forwarder.abort();
            let _ = forwarder.await;
        }
    }
}

/// Runs each `async fn name(backend: Backend)` as a test per backend.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::backend::Backend::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::backend::Backend::Postgres).await;
            })*
        }
    };
}
