use std::fs;
use std::sync::Arc;

use nightdesk_platform::contract::EmergencyHarness;

use super::*;
use crate::file::tests::Folder;

/// Small, so that the contract also runs beyond the reserve.
const SMALL: u64 = 4_096;

fn path(folder: &Folder) -> PathBuf {
    folder.0.join("emergency.journal")
}

fn open(folder: &Folder) -> Result<EmergencyFile, PlatformError> {
    EmergencyFile::open_with_reserve(&path(folder), SMALL)
}

impl EmergencyHarness for Folder {
    fn open(&self) -> Arc<dyn EmergencyJournal> {
        Arc::new(open(self).unwrap())
    }
}

fn check(case: impl FnOnce(&dyn EmergencyHarness)) {
    case(&Folder::new());
}

nightdesk_platform::emergency_contract_tests!(check);

fn record(number: i64) -> EmergencyRecord {
    EmergencyRecord { at: Timestamp(number), kind: "cancel".to_owned(), body: format!("{{\"order\":\"nd-{number}\"}}") }
}

fn append(journal: &EmergencyFile, numbers: std::ops::RangeInclusive<i64>) {
    for number in numbers {
        journal.append(&record(number)).unwrap();
    }
}

fn pending(journal: &EmergencyFile) -> Vec<i64> {
    journal.pending().unwrap().iter().map(|record| record.at.0).collect()
}

#[test]
fn room_is_set_aside_at_once_and_not_outgrown_by_records() {
    let folder = Folder::new();
    let journal = EmergencyFile::open(&path(&folder)).unwrap();
    append(&journal, 1..=100);
    let file = fs::metadata(path(&folder)).unwrap();
    assert_eq!(file.len(), RESERVE);
    assert!(std::os::unix::fs::MetadataExt::blocks(&file) * 512 >= RESERVE, "room that is only promised is no room");
}

#[test]
fn a_record_is_a_line_that_can_be_read_without_us() {
    let folder = Folder::new();
    append(&open(&folder).unwrap(), 1..=1);
    let bytes = fs::read(path(&folder)).unwrap();
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap();
    let expected = r#"0000000000000001 7998b11e 00000036 {"at":1,"kind":"cancel","body":"{\"order\":\"nd-1\"}"}"#;
    assert_eq!(std::str::from_utf8(line).unwrap(), expected);
}

#[test]
fn a_torn_last_record_is_ignored_wherever_it_is_torn() {
    let folder = Folder::new();
    append(&open(&folder).unwrap(), 1..=3);
    let whole = fs::read(path(&folder)).unwrap();
    let lines: Vec<_> = (0..whole.len()).filter(|position| whole[*position] == b'\n').collect();
    for cut in lines[1] + 1..lines[2] {
        // What was not written any more is still zeros, or garbage of the disk's own.
        for filler in [0, 0xFF] {
            let mut torn = whole.clone();
            torn[cut..=lines[2]].fill(filler);
            fs::write(path(&folder), &torn).unwrap();
            let journal = open(&folder).unwrap();
            assert_eq!(pending(&journal), [1, 2], "cut at {cut}, {filler}");
            append(&journal, 4..=4);
            drop(journal);
            assert_eq!(pending(&open(&folder).unwrap()), [1, 2, 4], "cut at {cut}, {filler}");
        }
    }
}

#[test]
fn a_broken_record_before_whole_ones_is_damage_and_the_file_is_left_alone() {
    let folder = Folder::new();
    append(&open(&folder).unwrap(), 1..=3);
    let mut bytes = fs::read(path(&folder)).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second + HEAD + 3] ^= 1;
    fs::write(path(&folder), &bytes).unwrap();
    let error = open(&folder).unwrap_err().to_string();
    assert!(error.contains(&format!("damaged at byte {second}, and whole records follow")), "{error}");
    assert_eq!(fs::read(path(&folder)).unwrap(), bytes);
}

#[test]
fn a_crash_while_forgetting_brings_nothing_back() {
    let folder = Folder::new();
    append(&open(&folder).unwrap(), 1..=3);
    let mut bytes = fs::read(path(&folder)).unwrap();
    // All were merged; the first byte is gone and we crash.
    bytes[0] = 0;
    fs::write(path(&folder), &bytes).unwrap();
    let journal = open(&folder).unwrap();
    assert_eq!(pending(&journal), [0; 0]);
    append(&journal, 9..=9);
    drop(journal);
    assert_eq!(pending(&open(&folder).unwrap()), [9]);
}

#[test]
fn one_process_at_a_time() {
    let folder = Folder::new();
    let _first = open(&folder).unwrap();
    assert!(open(&folder).unwrap_err().to_string().contains("another process has it"));
}

#[test]
fn a_full_disk_takes_records_as_long_as_the_reserve_lasts() {
    let folder = Folder::new();
    let Some(_disk) = SmallDisk::mount(&folder.0) else {
        eprintln!("not checked: mounting a small disk needs root");
        return;
    };
    let journal = EmergencyFile::open_with_reserve(&path(&folder), 64 * 1024).unwrap();
    // Fill the rest to the last byte.
    let mut ballast = fs::File::create(folder.0.join("ballast")).unwrap();
    while io::Write::write_all(&mut ballast, &ZEROS[..512]).is_ok() {}
    let mut last = 0;
    let error = loop {
        match journal.append(&record(last + 1)) {
            Ok(()) => last += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(last > 500, "only {last} records fit");
    assert!(error.contains("cannot append to it: No space left"), "{error}");
    assert_eq!(pending(&journal), (1..=last).collect::<Vec<_>>(), "and what was refused is not there");
    drop(journal);
    let journal = EmergencyFile::open_with_reserve(&path(&folder), 64 * 1024).unwrap();
    assert_eq!(pending(&journal).len(), usize::try_from(last).unwrap());
    journal.merged(usize::MAX).unwrap();
    append(&journal, 1..=100);
    assert_eq!(pending(&journal).len(), 100, "and the reserve is there again");
}

#[test]
fn no_room_to_set_aside_is_told_when_opening() {
    let folder = Folder::new();
    let Some(_disk) = SmallDisk::mount(&folder.0) else {
        eprintln!("not checked: mounting a small disk needs root");
        return;
    };
    let error = EmergencyFile::open(&path(&folder)).unwrap_err().to_string();
    assert!(error.contains("cannot set room aside for it: No space left"), "{error}");
}

/// A disk of 1 MB.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path) -> Option<Self> {
        let arguments = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
        let mounted = std::process::Command::new("mount").args(arguments).arg(path).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(path.to_owned()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}
