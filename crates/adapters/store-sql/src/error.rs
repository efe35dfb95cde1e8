//! What the database's errors mean to a service.

use nightdesk_store::StoreError;

/// SQLite's primary result codes (sqlite.org/rescode.html) and the one extended code we tell apart.
const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const CONSTRAINT: i32 = 19;
const NOTADB: i32 = 26;
const IOERR_SHMSIZE: i32 = 4874;

/// Says SQLite's `error` in the port's words.
pub(crate) fn sqlite_error(place: &str, error: &rusqlite::Error) -> StoreError {
    use rusqlite::Error::{InvalidColumnType, SqlInputError, SqliteFailure, Utf8Error};
    let place = place.to_owned();
    match error {
        SqliteFailure(code, Some(message)) => by_code(place, code.extended_code, message),
        SqliteFailure(code, None) => by_code(place, code.extended_code, &code.to_string()),
        SqlInputError { error, msg, .. } => by_code(place, error.extended_code, msg),
        InvalidColumnType(..) | Utf8Error(..) => StoreError::Corrupt { place, detail: error.to_string() },
        _ => StoreError::Unavailable { place, detail: error.to_string() },
    }
}

/// Says PostgreSQL's `error` in the port's words.
pub(crate) fn postgres_error(place: &str, error: &sqlx::Error) -> StoreError {
    match error {
        sqlx::Error::Database(database) => {
            by_state(place.to_owned(), &database.code().unwrap_or_default(), database.message())
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            StoreError::Corrupt { place: place.to_owned(), detail: error.to_string() }
        }
        _ => StoreError::Unavailable { place: place.to_owned(), detail: error.to_string() },
    }
}

fn by_code(place: String, code: i32, message: &str) -> StoreError {
    let detail = format!("{message} (SQLite code {code})");
    match (code & 0xFF, code) {
        // The second: the log's index could not be given room.
        (FULL, _) | (_, IOERR_SHMSIZE) => StoreError::Full { place },
        (BUSY | LOCKED, _) => StoreError::Locked { place },
        (CORRUPT | NOTADB, _) => StoreError::Corrupt { place, detail },
        // Only journal and outbox insert without a rule for what is there already.
        (CONSTRAINT, _) => StoreError::Fenced { place, detail },
        (CANTOPEN, _) => {
            StoreError::Unavailable { place, detail: format!("{detail}: check the path and its permissions") }
        }
        _ => StoreError::Unavailable { place, detail },
    }
}

/// PostgreSQL's SQLSTATE codes (appendix A of its manual).
fn by_state(place: String, state: &str, message: &str) -> StoreError {
    let detail = format!("{message} (SQLSTATE {state})");
    match state {
        "53100" => StoreError::Full { place },
        // Only journal and outbox insert without a rule for what is there already.
        "23505" => StoreError::Fenced { place, detail },
        // Lock not available, or held by somebody who does not let go.
        "55P03" | "55006" => StoreError::Locked { place },
        // Data or index corrupted.
        "XX001" | "XX002" => StoreError::Corrupt { place, detail },
        _ => StoreError::Unavailable { place, detail },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_meaning() {
        let kinds: Vec<_> = [13, 4874, 5, 517, 6, 11, 26, 2067, 1555, 14, 10, 8]
            .into_iter()
            .map(|code| {
                let text = format!("{:?}", by_code("p".to_owned(), code, "m"));
                format!("{code} {}", text.split(' ').next().unwrap())
            })
            .collect();
        let expected = [
            "13 Full",
            "4874 Full",
            "5 Locked",
            "517 Locked",
            "6 Locked",
            "11 Corrupt",
            "26 Corrupt",
            "2067 Fenced",
            "1555 Fenced",
            "14 Unavailable",
            "10 Unavailable",
            "8 Unavailable",
        ];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn each_state_has_its_meaning() {
        let kinds: Vec<_> = ["53100", "23505", "55P03", "XX001", "57P01", "08006"]
            .into_iter()
            .map(|state| {
                let text = format!("{:?}", by_state("p".to_owned(), state, "m"));
                format!("{state} {}", text.split(' ').next().unwrap())
            })
            .collect();
        let expected =
            ["53100 Full", "23505 Fenced", "55P03 Locked", "XX001 Corrupt", "57P01 Unavailable", "08006 Unavailable"];
        assert_eq!(kinds, expected);
    }

    #[test]
    fn what_a_column_cannot_hold_is_damage() {
        let error = rusqlite::Error::InvalidColumnType(0, "?".to_owned(), rusqlite::types::Type::Blob);
        assert!(matches!(sqlite_error("p", &error), StoreError::Corrupt { .. }));
    }
}
