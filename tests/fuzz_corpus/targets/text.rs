//! Everything that reads text: what is understood prints as text that means the same, and nothing
//! else passes. File names: what passes is harmless.

use core::{fmt::Display, str::FromStr};

use rdtp::{
    app::{
        file::{NAME_BYTES_MAX, check_name, final_component},
        lab::{Action, input},
    },
    classic::Spec,
    link::{LinkConfig, Profile},
    quantity::{Bandwidth, ByteSize, Probability, Span},
};

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    back_and_forth::<Profile>(&text);
    back_and_forth::<LinkConfig>(&text);
    back_and_forth::<Probability>(&text);
    back_and_forth::<Bandwidth>(&text);
    back_and_forth::<ByteSize>(&text);
    back_and_forth::<Span>(&text);
    back_and_forth::<Spec>(&text);
    if let Ok(spec) = Spec::parse_even_if_illegal(&text) {
        let printed = spec.to_string();
        assert_eq!(Spec::parse_even_if_illegal(&printed), Ok(spec), "{printed}");
        assert_eq!(printed.parse::<Spec>().is_ok(), spec.legal().is_ok(), "{printed}");
    }
    if let Ok(action) = text.parse::<Action>() {
        assert!(Action::MENU.contains(&action));
    }
    if let Ok(list) = input::parse(&text) {
        assert_eq!(input::parse(&input::format(&list)), Ok(list));
    }
    name(&text);
}

/// Text in is text out. An error says something, on one line.
fn back_and_forth<T>(text: &str)
where
    T: FromStr + Display + PartialEq + core::fmt::Debug,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let printed = value.to_string();
            let again = printed.parse::<T>();
            assert!(again.is_ok_and(|again| again == value), "{text:?} prints as {printed:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn name(text: &str) {
    let last = final_component(text);
    assert!(text.ends_with(last) && !last.contains(['/', '\\']));
    if let Ok(name) = check_name(text) {
        assert_eq!((name, last), (text, text));
        assert!((1..=NAME_BYTES_MAX).contains(&name.len()) && !name.starts_with('.'));
        assert!(!name.chars().any(char::is_control));
    }
}
