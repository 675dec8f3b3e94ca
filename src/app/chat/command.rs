//! What a user can type: one table, from which the parser and the help are made.
//!
//! `/` begins a command, as in IRC; `$` does too, and `:q` alone quits. Names are the same in upper
//! and lower case. `//` at the beginning says a line that begins with a slash.

use alloc::{format, string::String};

/// What a row of the table does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Another nickname.
    Nick,
    /// Who is here.
    Users,
    /// Which rooms there are.
    Rooms,
    /// Who is in a room.
    Members,
    /// A new room.
    Create,
    /// Into a room.
    Join,
    /// Out of a room.
    Leave,
    /// Put somebody, or everybody, out of a room.
    Kick,
    /// To everybody.
    All,
    /// To one.
    Msg,
    /// Ask somebody to look up, and talk to them from now on.
    Poke,
    /// Something done.
    Me,
    /// Offer a file.
    File,
    /// Take an offered file.
    Accept,
    /// Do not take it.
    Decline,
    /// Stop a transfer.
    Cancel,
    /// The round trip to the server.
    Ping,
    /// How the network is doing.
    Stats,
    /// A worse network, or a better one.
    Link,
    /// This list.
    Help,
    /// The end.
    Quit,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it does.
    pub verb: Verb,
    /// Its name and its aliases.
    pub names: &'static [&'static str],
    /// What follows the name: `<must>` be there, `[may]` be there.
    pub usage: &'static str,
    /// What it does, in English, Portuguese and Spanish.
    pub help: [&'static str; 3],
}

const fn row(
    verb: Verb,
    names: &'static [&'static str],
    usage: &'static str,
    help: [&'static str; 3],
) -> Row {
    Row { verb, names, usage, help }
}

/// Every command.
pub const COMMANDS: [Row; 21] = [
    row(
        Verb::Nick,
        &["nick", "reg", "register"],
        "<name>",
        ["take another nickname", "escolher outro apelido", "elegir otro apodo"],
    ),
    row(
        Verb::Users,
        &["list", "names", "users", "userlist", "who", "ul"],
        "",
        ["who is here", "quem está aqui", "quién está aquí"],
    ),
    row(
        Verb::Rooms,
        &["rooms", "roomlist", "rl"],
        "",
        ["which rooms there are", "quais salas existem", "qué salas hay"],
    ),
    row(
        Verb::Members,
        &["members"],
        "[room]",
        ["who is in the room", "quem está na sala", "quién está en la sala"],
    ),
    row(
        Verb::Create,
        &["create", "roomcreate", "rc"],
        "<room>",
        ["make a room", "criar uma sala", "crear una sala"],
    ),
    row(
        Verb::Join,
        &["join", "roomjoin", "rj", "j"],
        "<room>",
        ["go into a room", "entrar numa sala", "entrar en una sala"],
    ),
    row(
        Verb::Leave,
        &["leave", "roomleave", "part"],
        "[room]",
        ["leave the room", "sair da sala", "salir de la sala"],
    ),
    row(
        Verb::Kick,
        &["kick"],
        "[name]",
        [
            "put somebody, or everybody else, out of the room you made",
            "tirar alguém, ou todos os outros, da sala que você criou",
            "echar a alguien, o a todos los demás, de la sala que creaste",
        ],
    ),
    row(
        Verb::All,
        &["s", "say", "all"],
        "<text>",
        ["say it to everybody", "dizer a todos", "decirlo a todos"],
    ),
    row(
        Verb::Msg,
        &["msg", "m", "w", "tell", "query"],
        "<name> [text]",
        [
            "say it to one; without a text, talk to them from now on",
            "dizer a um; sem texto, conversar com ele a partir de agora",
            "decirlo a uno; sin texto, hablar con él desde ahora",
        ],
    ),
    row(
        Verb::Poke,
        &["poke"],
        "<name>",
        [
            "ask somebody to look up, and talk to them from now on",
            "chamar a atenção de alguém e conversar com ele",
            "llamar la atención de alguien y hablar con él",
        ],
    ),
    row(
        Verb::Me,
        &["me"],
        "<text>",
        ["tell what you are doing", "contar o que você faz", "contar lo que haces"],
    ),
    row(
        Verb::File,
        &["file", "send"],
        "<name> <path>",
        ["offer a file", "oferecer um arquivo", "ofrecer un archivo"],
    ),
    row(
        Verb::Accept,
        &["accept", "yes"],
        "[number]",
        ["take the file", "aceitar o arquivo", "aceptar el archivo"],
    ),
    row(
        Verb::Decline,
        &["decline", "no"],
        "[number]",
        ["do not take the file", "recusar o arquivo", "rechazar el archivo"],
    ),
    row(
        Verb::Cancel,
        &["cancel"],
        "[number]",
        ["stop a transfer", "interromper uma transferência", "detener una transferencia"],
    ),
    row(
        Verb::Ping,
        &["ping"],
        "",
        [
            "measure the round trip",
            "medir o tempo de ida e volta",
            "medir el tiempo de ida y vuelta",
        ],
    ),
    row(
        Verb::Stats,
        &["stats"],
        "",
        ["what the network does", "o que a rede faz", "qué hace la red"],
    ),
    row(
        Verb::Link,
        &["link"],
        "[faults]",
        [
            "change the bad network, such as loss=20%",
            "mudar a rede ruim, por exemplo loss=20%",
            "cambiar la red mala, por ejemplo loss=20%",
        ],
    ),
    row(Verb::Help, &["help", "h", "?"], "", ["this list", "esta lista", "esta lista"]),
    row(
        Verb::Quit,
        &["quit", "exit", "q", "sair", "salir", "bye"],
        "",
        ["the end", "terminar", "terminar"],
    ),
];

/// What a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing.
    Empty,
    /// To be said where the user is.
    Text(&'a str),
    /// A command, and what follows it: at most two words, of which the last may have blanks.
    Command(Verb, &'a str, &'a str),
    /// A command whose usage is another.
    Usage(Verb),
    /// No command has this name.
    Unknown(&'a str),
}

/// Reads a line.
///
/// ```
/// use rdtp::app::chat::{Line, Verb, parse};
///
/// assert_eq!(parse("/MSG 34 oi!"), Line::Command(Verb::Msg, "34", "oi!"));
/// assert_eq!(parse("$userlist"), Line::Command(Verb::Users, "", ""));
/// assert_eq!(parse("//etc/hosts"), Line::Text("/etc/hosts"));
/// assert_eq!(parse("$5, please"), Line::Text("$5, please"));
/// assert_eq!(parse("/join"), Line::Usage(Verb::Join));
/// ```
pub fn parse(line: &str) -> Line<'_> {
    let line = line.trim_end_matches(['\r', '\n']);
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Line::Empty;
    }
    if let Some(literal) = line.strip_prefix("//").or(line.strip_prefix("$$")) {
        return Line::Text(&line[line.len() - literal.len() - 1..]);
    }
    let (name, rest) = trimmed.split_once(char::is_whitespace).unwrap_or((trimmed, ""));
    if let Some(name) = name.strip_prefix('/') {
        return find(name).map_or(Line::Unknown(name), |row| arguments(row, rest.trim()));
    }
    // A dollar or a colon may well begin a sentence.
    if let Some(row) = name.strip_prefix('$').and_then(find) {
        return arguments(row, rest.trim());
    }
    match trimmed {
        ":q" | ":quit" | ":q!" | ":Q" => Line::Command(Verb::Quit, "", ""),
        _ => Line::Text(line),
    }
}

/// The row of a command's name or alias.
pub fn find(name: &str) -> Option<&'static Row> {
    let is = |row: &&Row| row.names.iter().any(|known| known.eq_ignore_ascii_case(name));
    COMMANDS.iter().find(is)
}

impl Verb {
    /// Its row of the table.
    pub fn row(self) -> &'static Row {
        // Each verb has a row; a test holds this.
        COMMANDS.iter().find(|row| row.verb == self).unwrap_or(&COMMANDS[0])
    }
}

impl Row {
    /// How it is written, such as `/msg <name> [text]`.
    pub fn usage_line(&self) -> String {
        let gap = if self.usage.is_empty() { "" } else { " " };
        format!("/{}{gap}{}", self.names[0], self.usage)
    }

    fn words(&self, open: char) -> usize {
        self.usage.matches(open).count()
    }
}

fn arguments<'a>(row: &Row, rest: &'a str) -> Line<'a> {
    let (must, may) = (row.words('<'), row.words('['));
    let (first, second) = match must + may {
        0 => ("", rest),
        // The only word is a text, which has blanks, or a name, which has none.
        1 => (rest, ""),
        _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
    };
    let second = second.trim_start();
    let given = usize::from(!first.is_empty()) + usize::from(!second.is_empty());
    let one_name = must + may == 1 && !row.usage.contains("text") && row.verb != Verb::Link;
    let excess = must + may == 0 && !second.is_empty();
    if given < must || excess || (one_name && first.contains(char::is_whitespace)) {
        return Line::Usage(row.verb);
    }
    Line::Command(row.verb, first, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    /// Every command of the two originals with commands, in their own words.
    #[test]
    fn the_originals_commands_are_understood() {
        use Line::Command as C;
        for (line, meaning) in [
            ("/REG 12", C(Verb::Nick, "12", "")),
            ("/LIST", C(Verb::Users, "", "")),
            ("/S MENSAGEM 1", C(Verb::All, "MENSAGEM 1", "")),
            ("/MSG 34 oi!", C(Verb::Msg, "34", "oi!")),
            ("/FILE 34 a b.txt", C(Verb::File, "34", "a b.txt")),
            ("/QUIT", C(Verb::Quit, "", "")),
            ("/sair", C(Verb::Quit, "", "")),
            (":q", C(Verb::Quit, "", "")),
            ("$poke bob", C(Verb::Poke, "bob", "")),
            ("$kick", C(Verb::Kick, "", "")),
            ("$kick bob", C(Verb::Kick, "bob", "")),
            ("$roomlist", C(Verb::Rooms, "", "")),
            ("$userlist", C(Verb::Users, "", "")),
            ("$roomcreate x", C(Verb::Create, "x", "")),
            ("$roomjoin x", C(Verb::Join, "x", "")),
            ("$roomleave", C(Verb::Leave, "", "")),
            ("/part x", C(Verb::Leave, "x", "")),
            ("/names", C(Verb::Users, "", "")),
            ("/me waves", C(Verb::Me, "waves", "")),
            ("/link loss=20%, dup=5%", C(Verb::Link, "loss=20%, dup=5%", "")),
        ] {
            assert_eq!(parse(line), meaning, "{line}");
        }
    }

    #[test]
    fn everything_else_is_text_or_answered() {
        for (line, meaning) in [
            ("", Line::Empty),
            ("  \r\n", Line::Empty),
            ("hello", Line::Text("hello")),
            ("  indented", Line::Text("  indented")),
            ("//literal", Line::Text("/literal")),
            ("$$x", Line::Text("$x")),
            ("$5", Line::Text("$5")),
            (":q is a command", Line::Text(":q is a command")),
            ("/nosuch thing", Line::Unknown("nosuch")),
            ("/", Line::Unknown("")),
            ("/msg", Line::Usage(Verb::Msg)),
            ("/file bob", Line::Usage(Verb::File)),
            ("/join two words", Line::Usage(Verb::Join)),
            ("/list all", Line::Usage(Verb::Users)),
            ("/s", Line::Usage(Verb::All)),
        ] {
            assert_eq!(parse(line), meaning, "{line}");
        }
    }

    #[test]
    fn names_are_given_once_and_every_verb_has_a_row() {
        let mut seen = BTreeSet::new();
        for row in &COMMANDS {
            assert!(row.names.iter().all(|name| seen.insert(*name)), "{:?}", row.names);
            assert_eq!(row.verb.row().names, row.names);
            assert!(row.help.iter().all(|help| !help.is_empty()));
        }
    }

    proptest! {
        #[test]
        fn any_line_means_something(line in prop_oneof![any::<String>(), "[/$:]{0,2}[a-z]{0,6} [a-z ]{0,9}"]) {
            match parse(&line) {
                Line::Empty => prop_assert!(line.trim().is_empty()),
                Line::Text(text) => prop_assert!(!text.is_empty() && line.contains(text)),
                Line::Command(verb, first, second) => {
                    prop_assert!(line.contains(first) && line.contains(second));
                    prop_assert!(verb.row().usage.contains('<') <= !first.is_empty());
                }
                Line::Usage(verb) => prop_assert!(verb.row().usage_line().starts_with('/')),
                Line::Unknown(name) => prop_assert!(find(name).is_none()),
            }
        }
    }
}
