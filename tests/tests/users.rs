//! Users of an organisation whose names are alike.

use farmtally_core::permission::Role;
use farmtally_core::units::CentreCode;
use farmtally_core::{Error as CoreError, ErrorCode};
use farmtally_sync_server::{Error, NamedUser};
use farmtally_tests::{ADDRESS, Market};

fn another(name: &str) -> NamedUser<'_> {
    NamedUser::Name { name, is_another: true }
}

fn kolar() -> [CentreCode; 1] {
    ["KOLAR".parse().expect("a code")]
}

#[test]
fn a_name_like_a_known_one_is_asked_about_and_two_people_of_one_name_are_two_users() {
    let mut market = Market::open(1);
    let first = market.hires("Asha", "clerk").client.session().expect("a session").user_id;
    let server = &market.server;
    let code = |user: NamedUser<'_>| server.create_code(market.organisation, user, Role::Clerk, &kolar());
    for name in ["Asha", "asha", " Asha ", "ASHA", "A\u{200b}sha", "Áshá", "As-ha"] {
        let error = code(name.into()).expect_err("a question");
        assert!(matches!(error, Error::LikeKnownUser { .. }), "{name:?}: {error}");
        assert!(error.to_string().contains(&first.to_string()), "{name:?}: {error}");
    }
    code(another("asha")).expect("another person");
    code(another("Asha")).expect("a third person");
    code(first.into()).expect("a further phone of the first");
    let users = server.users(market.organisation).expect("a list");
    let names: Vec<(&str, usize)> = users.iter().map(|user| (user.name.as_str(), user.phones)).collect();
    assert_eq!(names, [("Asha", 1), ("Asha", 0), ("asha", 0)]);
    assert_eq!(users[0].user_id, first);
}

#[test]
fn a_suspension_names_one_user_and_says_on_how_many_phones() {
    let mut market = Market::open(2);
    let asha = market.hires("Asha", "clerk").client.session().expect("a session").user_id;
    let (server, organisation) = (&market.server, market.organisation);
    let code = server.create_code(organisation, another("asha"), Role::Clerk, &kolar()).expect("a code");
    let second = market.meets("the second Asha");
    second.client.enrol(&second.network, ADDRESS, &code, "test phone").expect("enrolled");
    let (server, organisation) = (&market.server, market.organisation);
    let error = server.suspend(organisation, "Asha", true).expect_err("which of them?");
    assert!(error.to_string().contains(&asha.to_string()), "{error}");
    assert_eq!(server.suspend(organisation, asha, true).expect("suspended"), 1);
    second.syncs_wholly();
    let farmer = second.registers("Lakshmi", "Vemagal", "").farmer_id;
    second.weighs(farmer, None, &[20_000]);
    second.syncs_wholly();
    let suspended: Vec<bool> =
        server.users(organisation).expect("a list").iter().map(|user| user.is_suspended).collect();
    assert_eq!(suspended, [true, false]);
    assert_eq!(server.suspend(organisation, "nobody", true).expect_err("no such user").code(), ErrorCode::NotFound);
}

#[test]
fn a_grant_for_exactly_a_known_name_is_for_that_user() {
    let mut market = Market::open(3);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi Kumar", "clerk"));
    let device = asha.client.session().expect("a session").device_code;
    let server = &market.server;
    server.grant(market.organisation, device, " Ravi  Kumar", Role::Clerk, &kolar()).expect("granted");
    let error = server.grant(market.organisation, device, "RAVI KUMAR", Role::Clerk, &kolar()).expect_err("a question");
    assert!(matches!(error, Error::LikeKnownUser { .. }), "{error}");
    asha.syncs_wholly();
    let ids: Vec<_> = asha.client.users().iter().map(|user| user.user_id).collect();
    assert!(ids.contains(&ravi.client.session().expect("a session").user_id), "{ids:?}");
    let refused = asha.client.switch_user([9; 16].into()).expect_err("nobody");
    assert!(matches!(refused, CoreError::Refused { .. }), "{refused:?}");
}

#[test]
fn a_grant_for_exactly_one_of_two_names_that_are_alike_is_for_the_user_of_that_name() {
    let mut market = Market::open(4);
    let (asha, ravi) = (market.hires("Asha", "clerk"), market.hires("Ravi", "clerk"));
    let (server, organisation) = (&market.server, market.organisation);
    let ravis = ravi.client.session().expect("a session").device_code;
    server.create_code(organisation, another("asha"), Role::Clerk, &kolar()).expect("another person");
    server.grant(organisation, ravis, "Asha", Role::Clerk, &kolar()).expect("only one is named exactly so");
    ravi.syncs_wholly();
    let ids: Vec<_> = ravi.client.users().iter().map(|user| user.user_id).collect();
    assert!(ids.contains(&asha.client.session().expect("a session").user_id), "{ids:?}");
    server.create_code(organisation, another("Asha"), Role::Clerk, &kolar()).expect("a third person");
    let error = server.grant(organisation, ravis, "Asha", Role::FieldManager, &kolar()).expect_err("which of two?");
    assert!(matches!(error, Error::LikeKnownUser { .. }), "{error}");
}
