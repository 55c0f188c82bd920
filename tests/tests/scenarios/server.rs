//! Stories 33 to 35: a server that was set back, two organisations on it, and a farmer who is forgotten.

use farmtally_core::ErrorCode;
use farmtally_core::client::PayoutInput;
use farmtally_core::records::farmer::{PayoutAccount, PayoutMethod};
use farmtally_sync_server::ReferenceFile;
use farmtally_tests::{Market, REFERENCE, bytes_of, fingerprint};

use super::{Team, reviews};

#[test]
fn scenario_33_a_server_restored_from_an_older_backup_gets_everything_back_from_the_phones() {
    let mut team = Team::open(3_633);
    team.asha.weighs(team.farmer, None, &[20_000]);
    team.syncs();
    let copy = team.market.backs_up("the backup");
    let lost = team.asha.weighs(team.farmer, None, &[21_000]).delivery_id;
    team.syncs();
    let healthy = fingerprint(&team.market.server_database());
    team.market.sets_back(&copy, true);
    assert_ne!(fingerprint(&team.market.server_database()), healthy);
    let organisation = team.market.organisation;
    let recovery = |team: &Team| team.market.server.recovery(organisation).expect("a state");
    // The recovery waits for an operator; the phones work on, and bring it twice without effect.
    team.syncs();
    team.syncs();
    let open = recovery(&team).expect("a recovery");
    assert_eq!(open.ended_at, None);
    assert_eq!(fingerprint(&team.market.server_database()), healthy, "all of it, verbatim");
    let decision = team.market.server.approve(organisation, lost.into(), None).expect_err("decisions wait");
    assert_eq!(decision.code(), ErrorCode::Interrupted);
    team.asha.weighs(team.farmer, None, &[22_000]);
    team.market.server.end_recovery(organisation).expect("ended");
    team.syncs();
    let ended = recovery(&team).expect("a recovery");
    assert!(ended.ended_at.is_some() && ended.epoch == open.epoch, "{ended:?}");
    team.ravi.client.delivery(lost).expect("what was lost");
    team.sum_to(3, 0, 3, 63_000);
    team.holds_nothing();
}

#[test]
fn scenario_34_one_farmer_of_two_organisations_is_two_farmers_who_know_nothing_of_each_other() {
    let mut team = Team::open(3_634);
    let own = team.market.organisation;
    team.asha.weighs(team.farmer, None, &[20_000]);
    team.syncs();
    let file = ReferenceFile::parse(REFERENCE).expect("reference data");
    let country = "IN".parse().expect("a country");
    let other = team.market.server.create_organisation("Malur growers", &country, 330, None, &file);
    team.market.organisation = other.expect("an organisation");
    let meena = team.market.hires("Meena", "dispatcher");
    assert_eq!(meena.farmers("").expect("farmers").items.len(), 0);
    let same = meena.registers("Lakshmi Devi", "Vemagal", "+91 98450 11111").farmer_id;
    meena.weighs(same, None, &[30_000]);
    meena.syncs_wholly();
    assert!(reviews(&meena, "farmer_look_alike").is_empty());
    assert_eq!((meena.sum().deliveries, meena.sum().gross_g.0), (1, 30_000));
    assert_eq!(meena.client.farmer(team.farmer).expect_err("of the others").code(), ErrorCode::NotFound);
    assert_eq!(fingerprint(&meena.database()), fingerprint(&team.market.server_database()));
    team.market.organisation = own;
    team.syncs();
    team.reviewed("farmer_look_alike", &[]);
    team.sum_to(1, 0, 1, 20_000);
    assert_eq!(team.asha.client.farmer(same).expect_err("of the others").code(), ErrorCode::NotFound);
}

#[test]
fn scenario_35_a_farmer_who_is_erased_is_nowhere_by_name_or_account_and_keeps_the_weights() {
    let mut market = Market::open(3_635);
    let (asha, ravi) = (market.hires("Asha", "field_manager"), market.hires("Ravi", "dispatcher"));
    let farmer = asha.registers("Zipporah Quill", "Vemagal", "").farmer_id;
    let delivery = asha.weighs(farmer, None, &[20_000]).delivery_id;
    let account = PayoutAccount {
        method: PayoutMethod::Bank,
        account: "7301264958".into(),
        bank_code: "SBIN0001234".into(),
        holder_name: String::new(),
    };
    let input = PayoutInput { national_id: None, account: Some(account) };
    let basis = asha.client.farmer(farmer).expect("a farmer").payout.basis;
    asha.client.propose_payout(farmer, basis, &input).expect("written");
    let mut team = Team { market, asha, ravi, farmer };
    team.syncs();
    let copy = team.market.backs_up("an older copy");
    let has_name = |folder: &std::path::Path| {
        let bytes = bytes_of(folder);
        let has = |text: &[u8]| bytes.windows(text.len()).any(|it| it == text);
        let (name, account) = (has(b"Zipporah"), has(b"7301264958"));
        assert_eq!(name, account, "{}: both or neither", folder.display());
        name
    };
    assert!(has_name(&team.asha.folder) && has_name(&team.market.server_folder()) && has_name(&copy));
    team.market.server.erase_farmer(team.market.organisation, farmer).expect("erased");
    team.syncs();
    for folder in [&team.asha.folder, &team.ravi.folder, &team.market.server_folder()] {
        assert!(!has_name(folder), "{}", folder.display());
    }
    for person in [&team.asha, &team.ravi] {
        assert_eq!(person.client.delivery(delivery).expect("a delivery").farmer_id, Some(farmer), "a pseudonym stays");
    }
    team.sum_to(1, 0, 1, 20_000);
    // A server that is restored from a copy with the name erases it before it answers.
    team.market.sets_back(&copy, true);
    assert!(!has_name(&team.market.server_folder()));
}
