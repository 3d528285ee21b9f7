//! Generated people: the same for the same number, and hard where values are hard: quotes,
//! backslashes, letters of several scripts, long names.

use std::collections::HashSet;

/// A person as an application would enter one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    /// Says nothing about who it is: user names are not protected here.
    pub(super) username: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    /// Whether the newsletter goes there, too.
    pub(super) subscribed: bool,
}

// Names that are words of SQL, of the server's log or of a dump ("Grant", "Mark", "Table") are
// left out: the demo searches both for names.
const FIRST: [&str; 64] = [
    "Adelheid",
    "Agnieszka",
    "Aisha",
    "Alejandro",
    "Amélie",
    "Anastasia",
    "André",
    "Ángel",
    "Beatriz",
    "Benedikt",
    "Björn",
    "Brónagh",
    "Céline",
    "Chidimma",
    "Clémence",
    "Dimitrios",
    "Dragoș",
    "Eiríkur",
    "Ekaterina",
    "Élodie",
    "Fatima",
    "Françoise",
    "Friedrich",
    "Gabriela",
    "Giuseppe",
    "Gülşen",
    "Hüseyin",
    "Ingeborg",
    "Ioanna",
    "István",
    "Jadwiga",
    "Jean-Luc",
    "Joaquín",
    "Kateřina",
    "Khadija",
    "Lakshmi",
    "László",
    "Leïla",
    "Magdalena",
    "Małgorzata",
    "Mehmet",
    "Niamh",
    "Nikolaos",
    "Noémie",
    "Oluwaseun",
    "Øystein",
    "Parvati",
    "Przemysław",
    "Ragnheiður",
    "Rodrigo",
    "Sebastián",
    "Siobhán",
    "Søren",
    "Svetlana",
    "Tadeusz",
    "Þórunn",
    "Tatiana",
    "Ursula",
    "Valentina",
    "Władysław",
    "Xiomara",
    "Yevgenia",
    "Zofia",
    "Željko",
];

const LAST: [&str; 64] = [
    "Abdullahi",
    "Ackermann",
    "Agnihotri",
    "Ångström",
    "Azevedo",
    "Bąkowski",
    "Balasubramanian",
    "Beauchêne",
    "Björnsdóttir",
    "Brânză",
    "Castañeda",
    "Chukwuemeka",
    "Çelikkol",
    "D'Alessandro",
    "D'Souza",
    "Delacroix",
    "Demirtaş",
    "Dvořáková",
    "Eriksson",
    "Etxeberria",
    "Fernández",
    "Featherstonehaugh",
    "Fitzgerald",
    "Gómez-Muñoz",
    "Grzegorczyk",
    "Guðmundsson",
    "Hakobyan",
    "Håkansson",
    "Hernández",
    "Horváth",
    "Ibrahimović",
    "Jørgensen",
    "Kaczmarek",
    "Karamazov",
    "Kowalczyk",
    "Krishnamurthy",
    "L'Hôpital",
    "Lindqvist",
    "Łukaszewicz",
    "Macpherson",
    "Martinović",
    "Mbeki-Dlamini",
    "Müller-Lüdenscheidt",
    "Nagyová",
    "N'Diaye",
    "Novotný",
    "O'Callaghan",
    "O'Shaughnessy",
    "Özdemir",
    "Papadopoulos",
    "Pétursson",
    "Quiñones",
    "Rasmussen",
    "Rodríguez",
    "Sánchez",
    "Schwarzenegger",
    "Skłodowska",
    "Šimůnek",
    "Thorvaldsen",
    "Villanueva",
    "Wawrzyniak",
    "Winterbottom",
    "Yıldırım",
    "Zieliński",
];

/// Names in other scripts, used whole.
const WHOLE: [(&str, &str, &str); 8] = [
    ("Ἀριστοτέλης", "Παπαδόπουλος", "aristotelis"),
    ("Владимир", "Кузнецов", "vladimir"),
    ("美咲子", "佐々木田", "misakiko"),
    ("志明华", "欧阳司马", "zhiminghua"),
    ("عبدالرحمن", "الشريف", "abdulrahman"),
    ("שלומית", "גולדשטיין", "shlomit"),
    ("सरस्वती", "चट्टोपाध्याय", "saraswati"),
    ("Zoë 🎻", "Back\\slash \"Quote\"", "zoe"),
];

/// Domains that nobody can own (RFC 2606).
const DOMAINS: [&str; 4] = ["example.com", "example.org", "example.net", "mail.example"];

/// The first `count` people. Their e-mail addresses all differ.
pub(super) fn generate(count: usize) -> Vec<Person> {
    let mut random = fastrand::Rng::with_seed(1815);
    let mut taken = HashSet::with_capacity(count);
    (1..=count)
        .map(|number| {
            let pick = |random: &mut fastrand::Rng, names: &[&'static str]| {
                random.choice(names).copied().unwrap_or_default()
            };
            let (first_name, last_name, local) = if random.u8(..) < 16 {
                let (first, last, local) = WHOLE[random.usize(..WHOLE.len())];
                (first.to_owned(), last.to_owned(), local.to_owned())
            } else {
                let first = pick(&mut random, &FIRST);
                let last = pick(&mut random, &LAST);
                let local = format!("{first}.{last}").to_lowercase().replace(' ', "");
                (first.to_owned(), last.to_owned(), local)
            };
            let domain = pick(&mut random, &DOMAINS);
            let mut email = format!("{local}@{domain}");
            if !taken.insert(email.clone()) {
                email = format!("{local}+{number}@{domain}");
                taken.insert(email.clone());
            }
            Person {
                username: format!("member{number:05}"),
                first_name,
                last_name,
                email,
                subscribed: random.u8(..3) == 0,
            }
        })
        .collect()
}

/// The person to show: somebody with letters and quotes that are easy to get wrong, who has rows
/// in all tables.
pub(super) fn most_telling(people: &[Person]) -> usize {
    let telling = |person: &Person| {
        [person.last_name.contains('\''), !person.first_name.is_ascii(), person.subscribed]
    };
    // Of those that have most of it, the first.
    let most = |(index, person): &(usize, &Person)| {
        let holds = telling(person).into_iter().filter(|holds| *holds).count();
        (holds, std::cmp::Reverse(*index))
    };
    people.iter().enumerate().max_by_key(most).map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_the_same_each_time_and_differ_from_each_other() {
        let people = generate(1000);
        assert_eq!(people, generate(1000));
        let emails: HashSet<&str> = people.iter().map(|person| person.email.as_str()).collect();
        assert_eq!(emails.len(), 1000);
        assert!(people.iter().any(|person| person.last_name.contains('\\')));
        assert!(people.iter().any(|person| person.last_name.contains('\'')));
        assert!(people.iter().any(|person| person.subscribed));
        assert!(people[most_telling(&people)].last_name.contains('\''));
        // Fits the columns of `auth_user`.
        assert!(people.iter().all(|person| person.email.chars().count() <= 254));
    }

    #[test]
    fn names_are_long_enough_to_search_for() {
        for person in generate(1000) {
            assert!(person.first_name.len() >= 5 && person.last_name.len() >= 5, "{person:?}");
        }
    }
}
