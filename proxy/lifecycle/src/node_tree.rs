//! PostgreSQL's stored expressions (`pg_node_tree`): `{OPEXPR :opno 98 :args ({VAR ...} ...)}`.
//!
//! The text is what the server itself parsed, with every name resolved: columns are numbers,
//! operators and functions oids. That makes it the right thing to judge an expression by; the SQL
//! that `pg_get_viewdef` prints would have to be parsed and resolved again.
//!
//! Grammar (PostgreSQL, `src/backend/nodes/outfuncs.c`): a node is `{TAG :field value ...}`, a list
//! `(...)`, anything else a run of bare words; special characters in words are escaped by `\`.

/// A value in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    /// `{TAG :field value ...}`
    Struct { tag: String, fields: Vec<(String, Node)> },
    /// `(...)`: of nodes, strings or numbers (then its first word is `i`, `o`, `b` ...).
    List(Vec<Node>),
    /// A bare word, or several (`4 [ 16 0 0 0 ]`) joined by blanks. `<>` is nothing.
    Word(String),
}

impl Node {
    /// Reads a whole tree.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let node = parser.value(0)?;
        if parser.at == parser.tokens.len() { Ok(node) } else { Err("text after its end") }
    }

    pub(crate) fn tag(&self) -> &str {
        match self {
            Self::Struct { tag, .. } => tag,
            Self::List(_) | Self::Word(_) => "",
        }
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Struct { fields, .. } => fields.iter().find(|(n, _)| n == name).map(|(_, v)| v),
            Self::List(_) | Self::Word(_) => None,
        }
    }

    /// A field that is a number; [`None`] when there is no such field.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.field(name)? {
            Self::Word(word) => word.parse().ok(),
            Self::Struct { .. } | Self::List(_) => None,
        }
    }

    /// A field that is a list; empty when it is nothing.
    pub(crate) fn list(&self, name: &str) -> &[Node] {
        self.field(name).map_or(&[], Self::items)
    }

    /// The items of a list, else nothing.
    pub(crate) fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            Self::Struct { .. } | Self::Word(_) => &[],
        }
    }

    /// Everything directly below.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Node> {
        let (fields, items) = match self {
            Self::Struct { fields, .. } => (fields.as_slice(), &[] as &[Node]),
            Self::List(items) => (&[] as &[(String, Node)], items.as_slice()),
            Self::Word(_) => (&[] as &[(String, Node)], &[] as &[Node]),
        };
        fields.iter().map(|(_, value)| value).chain(items)
    }

    /// Without the relabelling of a type that is binary compatible (`varchar` as `text`).
    pub(crate) fn unlabelled(&self) -> &Node {
        let mut node = self;
        while node.tag() == "RELABELTYPE" {
            match node.field("arg") {
                Some(arg) => node = arg,
                None => break,
            }
        }
        node
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    Open(char),
    Close(char),
    Word(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' | '(' => tokens.push(Token::Open(c)),
            '}' | ')' => tokens.push(Token::Close(c)),
            c if c.is_ascii_whitespace() => {}
            '"' => {
                // A string node; kept with its first quote, so that it is never taken for a field.
                let mut word = String::from('"');
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => word.extend(chars.next()),
                        c => word.push(c),
                    }
                }
                tokens.push(Token::Word(word));
            }
            c => {
                let mut word = String::new();
                let mut next = Some(c);
                while let Some(c) = next {
                    if c == '\\' {
                        word.extend(chars.next());
                    } else {
                        word.push(c);
                    }
                    next = chars.next_if(|c| {
                        !c.is_ascii_whitespace() && !matches!(c, '{' | '}' | '(' | ')')
                    });
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    tokens
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Deeper trees are not read; the server's own stack ends at some thousands.
const DEPTH: usize = 500;

impl Parser {
    fn value(&mut self, depth: usize) -> Result<Node, &'static str> {
        if depth > DEPTH {
            return Err("nested too deeply");
        }
        self.at += 1;
        match self.tokens.get(self.at - 1) {
            Some(Token::Open('{')) => self.node(depth),
            Some(Token::Open(_)) => {
                let mut items = Vec::new();
                while self.tokens.get(self.at) != Some(&Token::Close(')')) {
                    items.push(self.value(depth + 1)?);
                }
                self.at += 1;
                Ok(Node::List(items))
            }
            Some(Token::Word(word)) => Ok(Node::Word(word.clone())),
            Some(Token::Close(_)) => Err("a bracket closed that was not open"),
            None => Err("it ends early"),
        }
    }

    fn node(&mut self, depth: usize) -> Result<Node, &'static str> {
        let Some(Token::Word(tag)) = self.tokens.get(self.at) else {
            return Err("a node without a tag");
        };
        let tag = tag.clone();
        self.at += 1;
        let mut fields = Vec::new();
        loop {
            self.at += 1;
            let name = match self.tokens.get(self.at - 1) {
                Some(Token::Close('}')) => return Ok(Node::Struct { tag, fields }),
                Some(Token::Word(word)) => {
                    word.strip_prefix(':').ok_or("a value where a field should be")?.to_owned()
                }
                _ => return Err("no field where one should be"),
            };
            // The first word is the value even if it looks like a field: `:aliasname :x`.
            let mut value = self.value(depth + 1)?;
            while let Some(Token::Word(more)) = self.tokens.get(self.at) {
                if more.starts_with(':') {
                    break;
                }
                let Node::Word(word) = &mut value else { break };
                word.push(' ');
                word.push_str(more);
                self.at += 1;
            }
            fields.push((name, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_server_writes() {
        let text = r#"{NULLTEST :arg {RELABELTYPE :arg {VAR :varno 1 :varattno 2 :vartypmod -1}
            :resulttype 25} :name a\ \(b :alias :x :strings ("o\"ne" "{") :ids (o 1 2)
            :constvalue 4 [ 16 0 0 0 ] :nothing <>}"#;
        let node = Node::parse(text).unwrap();
        assert_eq!(node.tag(), "NULLTEST");
        let var = node.field("arg").unwrap().unlabelled();
        assert_eq!((var.tag(), var.number("varattno")), ("VAR", Some(2)));
        assert_eq!(node.field("name"), Some(&Node::Word("a (b".into())));
        assert_eq!(node.field("alias"), Some(&Node::Word(":x".into())));
        assert_eq!(node.list("strings").len(), 2);
        assert_eq!(node.list("ids").len(), 3);
        assert_eq!(node.field("constvalue"), Some(&Node::Word("4 [ 16 0 0 0 ]".into())));
        assert!(node.list("nothing").is_empty());
    }

    #[test]
    fn broken_trees_are_errors() {
        for text in ["", "{", "{VAR", "{VAR :a", "(1", "{VAR a}", ")", "{VAR :a 1} x", "{VAR :a )}"]
        {
            assert!(Node::parse(text).is_err(), "{text}");
        }
        assert!(Node::parse(&"(".repeat(100_000)).is_err());
    }
}
