//! Words that hold a sentence together and tell nothing about what it says.

use super::language::Language;

/// Whether a folded word is one of the function words of a language. Negations are not among them:
/// they turn what is said around.
pub(crate) fn is_function_word(language: Language, word: &str) -> bool {
    let words: &[&str] = match language {
        Language::English => &ENGLISH,
        Language::German => &GERMAN,
        Language::French => &FRENCH,
        Language::Spanish => &SPANISH,
        Language::Italian => &ITALIAN,
        Language::Portuguese => &PORTUGUESE,
        Language::Dutch => &DUTCH,
        _ => &[],
    };
    words.binary_search(&word).is_ok()
}

// All of them are folded, and in the order of their bytes.

#[rustfmt::skip]
const ENGLISH: [&str; 147] = [
    "a", "about", "above", "after", "again", "against", "all", "am", "among", "an", "and", "any",
    "anybody", "anyone", "are", "as", "at", "be", "because", "been", "before", "being", "below",
    "between", "both", "but", "by", "can", "could", "did", "do", "does", "down", "during", "each",
    "either", "else", "ever", "every", "few", "for", "from", "further", "had", "has", "have", "he",
    "her", "here", "hers", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its",
    "itself", "just", "like", "may", "me", "might", "more", "most", "much", "must", "my", "neither",
    "nor", "now", "of", "off", "on", "once", "one", "only", "onto", "or", "other", "others",
    "ought", "our", "out", "over", "own", "per", "rather", "same", "shall", "she", "should",
    "since", "so", "some", "someone", "such", "than", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "those", "though", "through", "throughout", "to", "too",
    "under", "unless", "until", "up", "upon", "us", "very", "via", "was", "we", "well", "were",
    "what", "when", "where", "whether", "which", "while", "who", "whom", "whose", "why", "will",
    "with", "within", "without", "would", "yet", "you", "your", "yours",
];

#[rustfmt::skip]
const GERMAN: [&str; 86] = [
    "aber", "als", "am", "an", "auch", "auf", "aus", "bei", "bin", "bis", "bist", "da", "damit",
    "dann", "das", "dass", "dein", "dem", "den", "denn", "der", "des", "dich", "die", "dies",
    "diese", "dieser", "dir", "doch", "du", "durch", "ein", "eine", "einem", "einen", "einer",
    "eines", "er", "es", "fur", "hab", "habe", "haben", "hat", "hatte", "ich", "ihm", "ihn", "ihr",
    "im", "in", "ist", "ja", "kann", "man", "mein", "mich", "mir", "mit", "nach", "noch", "nur",
    "ob", "oder", "sein", "sich", "sie", "sind", "so", "und", "uns", "unter", "vom", "von", "vor",
    "war", "was", "wenn", "wer", "wie", "wir", "wird", "wo", "zu", "zum", "zur",
];

#[rustfmt::skip]
const FRENCH: [&str; 62] = [
    "a", "ai", "as", "au", "aux", "avec", "c", "ce", "ces", "cette", "d", "dans", "de", "des", "du",
    "elle", "en", "est", "et", "etait", "eu", "il", "ils", "j", "je", "l", "la", "le", "les",
    "leur", "lui", "m", "ma", "mais", "me", "mes", "mon", "nos", "notre", "nous", "on", "ont", "ou",
    "par", "pour", "qu", "quand", "que", "quel", "qui", "s", "sa", "se", "ses", "son", "sont",
    "sur", "t", "tu", "un", "une", "vous",
];

#[rustfmt::skip]
const SPANISH: [&str; 59] = [
    "a", "al", "como", "con", "cual", "cuando", "de", "del", "desde", "donde", "e", "el", "ella",
    "ellos", "en", "entre", "era", "es", "esta", "este", "esto", "fue", "ha", "han", "hay", "la",
    "las", "le", "les", "lo", "los", "mas", "me", "mi", "mis", "muy", "nos", "o", "para", "pero",
    "por", "que", "quien", "se", "ser", "si", "sobre", "son", "su", "sus", "te", "tiene", "tu",
    "un", "una", "unos", "y", "ya", "yo",
];

#[rustfmt::skip]
const ITALIAN: [&str; 58] = [
    "a", "ad", "ai", "al", "alla", "anche", "c", "che", "chi", "ci", "come", "con", "cui", "d",
    "da", "dal", "dalla", "dei", "del", "della", "delle", "di", "dove", "e", "ed", "era", "gli",
    "ha", "ho", "i", "il", "in", "io", "l", "la", "le", "lo", "ma", "mi", "nel", "nella", "o",
    "per", "piu", "quale", "quando", "quella", "questo", "se", "si", "sono", "su", "sul", "ti",
    "tra", "un", "una", "uno",
];

#[rustfmt::skip]
const PORTUGUESE: [&str; 57] = [
    "a", "ao", "aos", "as", "com", "como", "da", "das", "de", "do", "dos", "e", "ela", "ele", "em",
    "entre", "era", "essa", "esse", "esta", "este", "eu", "foi", "ha", "isso", "ja", "la", "lhe",
    "mais", "mas", "me", "meu", "minha", "na", "nas", "no", "nos", "o", "onde", "os", "ou", "para",
    "pela", "pelo", "por", "qual", "quando", "que", "quem", "se", "ser", "seu", "sua", "tem", "um",
    "uma", "voce",
];

#[rustfmt::skip]
const DUTCH: [&str; 57] = [
    "aan", "al", "als", "bij", "dan", "dat", "de", "der", "deze", "die", "dit", "door", "een", "en",
    "er", "haar", "had", "heb", "heeft", "hem", "het", "hij", "hoe", "ik", "in", "is", "je", "kan",
    "maar", "me", "men", "met", "mij", "mijn", "na", "naar", "nog", "of", "om", "onder", "ons",
    "ook", "op", "over", "te", "tot", "u", "uit", "van", "voor", "waar", "was", "wat", "we", "wie",
    "wordt", "zijn",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_folded_and_in_order() {
        let lists: [&[&str]; 7] = [
            &ENGLISH,
            &GERMAN,
            &FRENCH,
            &SPANISH,
            &ITALIAN,
            &PORTUGUESE,
            &DUTCH,
        ];
        for words in lists {
            assert!(words.is_sorted());
            for word in words {
                assert_eq!(*word, crate::model::letters::fold(word));
            }
        }
        assert!(!is_function_word(Language::English, "not"));
        assert!(!is_function_word(Language::Exact, "the"));
    }
}
