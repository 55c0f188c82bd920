//! The played market day: two phones, one server, and a comparison to the gram at the end.
//!
//! Owns what is set up for the day and the order of its acts (`acts.rs`). Real are the market, the day, its published total, the server and every
//! request; the split into deliveries, the people and the hours are made up, and the screen says so.

mod acts;
mod steps;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::NaiveDate;
use clap::Args;

use crate::arrivals::{Arrivals, ChoiceError, MarketDay};
use crate::clock::DayClock;
use crate::import;
use crate::market::Market;
use crate::office::Office;
use crate::phone::{Pace, Synced};
use crate::plan::Plan;
use crate::report::Outcome;
use crate::screen::{Screen, count, grouped};
use crate::split::split;
use acts::Story;

/// Which day is played, and how.
#[derive(Args, Clone, Debug)]
pub(crate) struct DayArgs {
    /// The market, spelled as in the data; without it the one that `--day` or the data suggests
    #[arg(long, value_name = "NAME")]
    market: Option<String>,
    /// The day; without it one with the market's median arrival
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<NaiveDate>,
    /// Into how many farmers' deliveries the published total is split
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    deliveries: u32,
    /// Chooses the split, the farmers, and all keys and ids
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Arrivals to take instead of the built-in ones: CSV with date, market, variety, `arrival_tonnes`
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Writes the result to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Ends after the result instead of serving the office's page
    #[arg(long)]
    exit: bool,
    /// Keeps the server's and the phones' data in an empty or new folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// How long all crates together take at most on the day's clock.
const WEIGHING_TIME: Duration = Duration::from_secs(8 * 3_600);
/// How long one crate takes at most.
const CRATE_TIME: Duration = Duration::from_secs(15);
/// Up to this many crates are written to the disk one by one, as on a real phone; more would only take longer.
const CRATE_WRITES: usize = 4_000;

/// Plays the day, shows what came of it, and serves the office's page until somebody asks to stop.
pub(crate) fn play(args: &DayArgs, screen: &Screen) -> anyhow::Result<()> {
    // First of all, so that a wrong path does not cost a whole day.
    let json = args.json.as_deref().map(Aside::create).transpose()?;
    let arrivals = load(args.data.as_deref(), screen)?;
    let chosen = choose(&arrivals, args)?;
    let market = Market::new(&chosen.market, chosen.date)?;
    let deliveries = usize::try_from(args.deliveries)?;
    let plan = Plan::new(split(chosen.total_g, deliveries, args.seed)?);
    let pace = pace(plan.crates);
    introduce(screen, &arrivals, &chosen, &plan, pace, args);

    let temporary = tempfile::tempdir().context("a folder for the day's data")?;
    let folder = match &args.keep {
        Some(folder) => require_empty(folder)?,
        None => temporary.path(),
    };
    let clock = DayClock::at_dawn(market.date);
    let mut office = Office::open(folder, &market, plan.loads.max(2), &clock, args.seed)?;
    screen.say(format_args!("The server answers at {}.", office.url()));

    let mut story = Story::new(screen, &office, &plan, &clock, args.seed);
    let (asha, ravi) = story.play(pace)?;
    let synced: Vec<Synced> = story.into_synced();
    let outcome = Outcome::read(&chosen, &office, [&asha, &ravi], &synced)?;
    outcome.show(screen);
    if let Some(json) = json {
        let path = json.write(&outcome)?;
        screen.say(format_args!("The result is in {}.", path.display()));
    }
    outcome.require_equal()?;

    if !args.exit {
        screen.say(format_args!("\nThe office's page: {}/   Ctrl-C ends.", office.url()));
        office.serve_until_asked()?;
    }
    if let Some(folder) = &args.keep {
        let shown = folder.display();
        screen.say(format_args!(
            "All data is in {shown}; `farmtally-server serve --data {shown}/server` shows it again."
        ));
    }
    office.close()
}

/// A file that takes its place only when it is whole: what stood there before stays until then.
struct Aside<'a> {
    path: &'a Path,
    file: tempfile::NamedTempFile,
}

impl<'a> Aside<'a> {
    /// Fails before the day begins if nothing can be written there.
    fn create(path: &'a Path) -> anyhow::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if path.is_dir() {
            anyhow::bail!("cannot write {}: it is a folder", path.display());
        }
        let file = tempfile::Builder::new().prefix(".farmtally-").tempfile_in(folder);
        Ok(Self { path, file: file.with_context(|| format!("cannot write {}", path.display()))? })
    }

    fn write(self, value: &impl serde::Serialize) -> anyhow::Result<&'a Path> {
        let Self { path, mut file } = self;
        serde_json::to_writer_pretty(&mut file, value).with_context(|| format!("cannot write {}", path.display()))?;
        file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn load(file: Option<&Path>, screen: &Screen) -> anyhow::Result<Arrivals> {
    let Some(file) = file else { return Ok(Arrivals::built_in()?) };
    let arrivals = Arrivals::load(file)?;
    import::summarise(&arrivals, screen);
    Ok(arrivals)
}

fn choose(arrivals: &Arrivals, args: &DayArgs) -> anyhow::Result<MarketDay> {
    match arrivals.choose(args.market.as_deref(), args.day) {
        Err(error @ ChoiceError::UnknownMarket { .. }) => {
            bail!("{error}. Its markets: {}", arrivals.markets().collect::<Vec<_>>().join(", "))
        }
        chosen => Ok(chosen?),
    }
}

fn require_empty(folder: &Path) -> anyhow::Result<&Path> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if entries.next().is_some() {
        bail!("{} is not empty: name a new folder, the day begins with new phones", folder.display());
    }
    Ok(folder)
}

fn pace(crates: usize) -> Pace {
    let crate_time = WEIGHING_TIME / u32::try_from(crates.max(1)).unwrap_or(u32::MAX);
    Pace { crate_time: crate_time.min(CRATE_TIME), crates_at_once: crates.div_ceil(CRATE_WRITES).max(1) }
}

fn introduce(screen: &Screen, arrivals: &Arrivals, chosen: &MarketDay, plan: &Plan, pace: Pace, args: &DayArgs) {
    let MarketDay { market, date, total_g } = chosen;
    screen.say(format_args!("A market day, replayed: {market} on {date}"));
    let rows = arrivals.of(market, *date);
    let by_variety = rows.iter().map(|row| format!("{} {} g", row.variety.escape_debug(), grouped(row.arrival_g)));
    let by_variety = by_variety.collect::<Vec<_>>().join(", ");
    screen.say(format_args!("  real      the published arrival, {} g ({by_variety}),", grouped(*total_g)));
    screen.say("            the server, its database, and every request over HTTP");
    screen.say(format_args!(
        "  made up   the split into {} of {} (seed {}), farmers, people, lorries,",
        count(plan.lots.len() as u64, "delivery", "deliveries"),
        count(plan.crates as u64, "crate", "crates"),
        args.seed
    ));
    screen.say("            and the hours: the clock is the market day's and moves as crates are called out");
    let writes = match pace.crates_at_once {
        1 => "each crate is on the phone's disk before the next is called out".to_owned(),
        many => {
            format!("up to {many} crates of a delivery are written to the phone's disk at once, as a scale's burst")
        }
    };
    screen.say(format_args!("  weighing  {writes}"));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;
    use serde_json::Value;

    fn args(folder: &Path) -> DayArgs {
        DayArgs {
            market: Some("Kolar".to_owned()),
            day: None,
            deliveries: 20,
            seed: 7,
            data: Some(folder.join("arrivals.csv")),
            json: Some(folder.join("result.json")),
            exit: true,
            keep: Some(folder.join("kept")),
        }
    }

    #[test]
    fn a_small_day_adds_up_to_the_gram_and_leaves_what_a_person_must_see() {
        let folder = tempfile::tempdir().unwrap();
        let data = "date,market,variety,arrival_tonnes\n2016-02-29,Kolar,Tomato,3\n2016-02-29,Kolar,Hybrid,0.700001\n";
        let args = args(folder.path());
        std::fs::write(args.data.as_ref().unwrap(), data).unwrap();
        play(&args, &Screen::new(Box::new(std::io::sink()))).unwrap();

        let result: Value = serde_json::from_slice(&std::fs::read(args.json.unwrap()).unwrap()).unwrap();
        assert_eq!((&result["market"], &result["date"]), (&"Kolar".into(), &"2016-02-29".into()));
        assert_eq!(result["published_g"], 3_700_001);
        assert_eq!(result["server_g"], 3_700_001);
        let phones: Vec<_> = result["phones"].as_array().unwrap().iter().map(|phone| &phone["g"]).collect();
        assert_eq!(phones, [3_700_001, 3_700_001]);

        let conflicts = result["conflicts"].as_array().unwrap();
        assert_eq!(conflicts.iter().map(|conflict| &conflict["field"]).collect::<Vec<_>>(), ["lifecycle"]);
        let mut reviews: Vec<_> =
            result["reviews"].as_array().unwrap().iter().map(|review| review["code"].as_str().unwrap()).collect();
        reviews.sort_unstable();
        assert_eq!(reviews, ["farmer_look_alike", "late_delivery", "load_contention"]);
        for sync in result["syncs"].as_array().unwrap() {
            assert!(sync["requests"].as_u64() > Some(0) && sync["bytes_up"].as_u64() > Some(0), "{sync}");
        }
        assert!(args.keep.unwrap().join("asha").join("field.db").exists());
    }

    #[test]
    fn a_folder_with_somebodys_data_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        require_empty(folder.path()).unwrap();
        std::fs::write(folder.path().join("field.db"), "").unwrap();
        assert!(require_empty(folder.path()).unwrap_err().to_string().contains("not empty"));
    }

    #[test]
    fn many_crates_are_written_in_bursts_and_fit_the_day() {
        for crates in [1, CRATE_WRITES, CRATE_WRITES + 1, 5_000_000] {
            let Pace { crate_time, crates_at_once } = pace(crates);
            assert!(crates.div_ceil(crates_at_once) <= CRATE_WRITES, "{crates}");
            assert!(crate_time * u32::try_from(crates).unwrap() <= WEIGHING_TIME, "{crates}");
        }
        assert_eq!(pace(CRATE_WRITES).crates_at_once, 1);
    }
}
