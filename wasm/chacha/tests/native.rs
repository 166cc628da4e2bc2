//! The cases, natively.

mod cases;

#[test]
fn cases() {
    for (name, case) in cases::CASES {
        println!("{name}");
        case();
    }
}
