"""
Faults from outside, what must come of each, and the tests that show it.

The page ``docs/reference/faults.md`` is made of this; at the end of a run of the suite it is said which were shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What goes wrong, what comes of it, and the tests of it: ``module::function`` below ``tests``."""

    what: str
    outcome: str
    tests: tuple[str, ...]


_BACKUP = "unit/actions/backup/test_backup.py::test_"
_VERIFY = "unit/actions/verify/test_verify.py::test_"
_FLIPS = "unit/actions/verify/test_verify_flips.py::test_"
_TARGETS = "unit/actions/restore/test_restore_targets.py::test_"
_PRUNE = "unit/actions/test_prune.py::test_"
_REPOSITORY = "unit/actions/test_repository.py::test_"
_CONTROL = "unit/actions/backup/test_control.py::test_"
_LEASE = "unit/actions/backup/test_source_lease.py::test_"
_RETENTION = "unit/catalog/test_retention.py::test_"
_RECOVERY = "unit/catalog/test_recovery.py::test_"
_AIRFLOW = "integration/test_airflow.py::test_"
_WHOLE = "integration/test_control.py::test_"
_FILES = "unit/engines/files/test_files_engine.py::test_"
_UNREAD = "unit/engines/files/test_files_faults.py::test_"
_CHAIN = "unit/engines/files/test_files_chain.py::test_"
_HOSTILE = "unit/engines/files/test_hostile_archives.py::test_"
_OUTSIDE = "integration/test_outside_faults.py::test_"
_QUEUE = "integration/test_queue.py::test_"
_ALONE = "unit/operators/test_left_alone.py::test_"
_MESSAGES = "contract/test_messages.py::test_"
_KILLED = "contract/test_killed.py::test_a_backup_that_is_killed_at_any_moment_leaves_no_false_set"

_WHOLE_KILLED = "integration/test_kills.py::test_killed_at_any_moment_no_slot_has_two_sets_and_every_set_restores"

FAULTS: tuple[Fault, ...] = (
    Fault(
        "the worker is killed before or during the dump",
        "no set; the retry has the same set id and takes it; temporary folders are swept by the next run",
        (_KILLED, f"{_BACKUP}what_a_killed_attempt_left_is_removed_by_the_retry"),
    ),
    Fault(
        "in a whole Airflow: tasks, their supervisors, their programs are killed at random moments of all verbs",
        "no slot has two sets, each set restores to what its writer wrote, nothing runs for ever; page, `status` and catalog agree",
        (_WHOLE_KILLED, f"{_OUTSIDE}a_worker_that_is_killed_is_given_up_and_its_run_completes"),
    ),
    Fault(
        "only the supervisor of a task is killed",
        "its backup, verification or restore ends with it, before Airflow starts another",
        (
            f"{_OUTSIDE}a_supervisor_that_is_killed_takes_its_backup_with_it",
            "unit/core/test_orphan.py::test_it_is_asked_to_end_when_its_parent_is_killed",
            f"{_ALONE}whoever_works_on_sets_ends_with_its_supervisor",
        ),
    ),
    Fault(
        "the worker is killed during an upload",
        "what is half there is never listed as a piece; the retry and `sync` sweep it",
        (
            _KILLED,
            "contract/storage/test_storage.py::test_an_unfinished_write_is_listed_and_swept",
            "unit/actions/restore/test_restore_and_sync.py::test_what_a_killed_attempt_left_is_removed_when_it_is_old_enough",
        ),
    ),
    Fault(
        "killed after the manifest, before the catalog knows",
        "the retry adopts the set, and so does `sync`; a run whose set the catalog knows has completed",
        (
            "unit/actions/test_monitor.py::test_a_run_whose_set_is_stored_has_completed_though_nobody_said_so",
            f"{_BACKUP}a_set_that_the_catalog_does_not_know_is_adopted_by_the_retry",
            "unit/actions/restore/test_restore_and_sync.py::test_a_lost_catalog_is_rebuilt_from_the_manifests",
        ),
    ),
    Fault(
        "killed while sets are removed",
        "no chain is half removed; the next prune finishes",
        (f"{_PRUNE}an_interrupted_prune_leaves_no_set_that_looks_whole_and_is_finished_later",),
    ),
    Fault(
        "killed during a verification or a restore",
        "nothing is said of the set; the target is marked as unfinished and the same command goes on",
        (
            "unit/actions/backup/test_bad_dumps.py::test_a_verification_that_is_killed_says_nothing_about_the_set",
            "unit/actions/restore/test_restore_plan.py::test_a_restore_that_was_killed_goes_on",
            f"{_TARGETS}a_kill_around_the_swap_loses_nothing_and_the_same_command_goes_on",
        ),
    ),
    Fault(
        "the worker is asked to end (SIGTERM)",
        "failed as *the worker was asked to end the run*, and tried again",
        (
            "unit/operators/test_operators.py::test_a_run_whose_worker_stops_leaves_no_set_and_is_tried_again",
        ),
    ),
    Fault(
        "a run that waits for its next attempt is marked as failed in Airflow",
        "the monitor notes that it has failed for good, once",
        (
            "unit/actions/test_monitor.py::test_a_run_that_a_person_ends_between_two_attempts_has_failed_for_good_once",
        ),
    ),
    Fault(
        "the worker is killed while its programs stand still",
        "they go on and are ended",
        ("unit/core/test_process.py::test_what_stands_still_ends_when_we_are_killed",),
    ),
    Fault(
        "Airflow's API server is away for a minute",
        "the run goes on, with `max_failed_heartbeats` raised",
        (
            f"{_WHOLE}an_api_server_that_is_away_for_a_minute_costs_no_backup",
            f"{_OUTSIDE}an_api_server_that_is_restarted_in_the_middle_costs_no_backup",
        ),
    ),
    Fault(
        "Airflow refuses, or does not answer, to whom tells it of progress",
        "backup, restore and verification go on",
        (
            f"{_CONTROL}a_run_goes_on_although_nobody_can_be_told_of_it",
            f"{_ALONE}a_restore_and_a_verification_go_on_although_airflow_cannot_be_told",
            f"{_ALONE}work_does_not_wait_for_an_airflow_that_says_nothing",
        ),
    ),
    Fault(
        "the triggerer is killed while runs wait for their windows",
        "each goes on, once, when there is a triggerer again",
        (f"{_QUEUE}runs_that_wait_for_their_windows_outlive_the_triggerer",),
    ),
    Fault(
        "the scheduler was away while many runs became due",
        "with `missed: run_once` each runs once; never more at once than there are places",
        (
            f"{_QUEUE}what_became_overdue_while_the_scheduler_was_away_runs_once_and_not_all_at_once",
        ),
    ),
    Fault(
        "the scheduler is dead",
        "the monitor outside says so, and the sign of life stops",
        ("integration/test_monitor.py::test_airflow_tells_and_when_it_is_dead_the_outside_tells",),
    ),
    Fault(
        "the catalog does not answer",
        "asked again for two minutes, then class `network`",
        (
            f"{_LEASE}a_catalog_that_is_away_for_a_while_is_asked_again",
            f"{_OUTSIDE}a_catalog_that_refuses_for_a_minute_costs_no_backup",
            f"{_CONTROL}a_run_goes_on_although_nobody_can_be_told_of_it",
        ),
    ),
    Fault(
        "no room, in the repository or for a copy",
        "class `space`, not tried again; nothing of the set is left, earlier ones stay",
        (
            f"{_OUTSIDE}a_full_disk_is_not_tried_again_and_is_free_again_afterwards",
            "unit/storage/test_folder_storage.py::test_a_full_disk_is_its_own_kind_of_error",
            "unit/engines/sqlite/test_sqlite_engine.py::test_a_copy_that_has_no_room_says_how_much_it_needs",
            f"{_BACKUP}a_failure_before_the_manifest_leaves_nothing_and_the_retry_makes_the_set",
        ),
    ),
    Fault(
        "a disk of the repository is not mounted",
        "class `not_found`; nothing is made on the disk below, and nothing is forgotten",
        (
            f"{_REPOSITORY}a_run_without_its_repository_fails_as_not_found_and_makes_nothing",
            f"{_REPOSITORY}sync_and_prune_forget_nothing_of_a_repository_that_is_not_there",
            f"{_REPOSITORY}a_disk_that_goes_while_a_run_is_at_work_leaves_no_set_on_the_root_disk",
        ),
    ),
    Fault(
        "the repository is taken away in the middle: its disk is unplugged, its folder is moved",
        "class `not_found`; nothing is written in its place, no set is forgotten or called damaged, and when it is "
        "back all goes on",
        (
            "unit/actions/test_repository_goes.py::test_what_goes_in_the_middle_is_not_there_and_not_damaged",
            f"{_OUTSIDE}a_disk_that_is_unplugged_in_the_middle_fails_and_is_as_it_was_when_it_is_back",
            f"{_OUTSIDE}a_repository_that_is_moved_away_in_the_middle_fails_and_is_as_it_was_when_it_is_back",
            f"{_REPOSITORY}a_disk_that_goes_when_all_is_written_is_missed_and_nothing_is_made_in_its_place",
            f"{_REPOSITORY}a_folder_that_is_gone_in_the_middle_is_not_made_again",
            f"{_REPOSITORY}a_long_run_looks_now_and_then_whether_its_repository_is_still_there",
            f"{_REPOSITORY}a_disk_that_goes_during_sync_or_prune_costs_no_memory_of_its_sets",
        ),
    ),
    Fault(
        "the source is a standby or a replica that does not follow any more",
        "the set says so in its warnings, with the moment of its newest change or with what stands still",
        (
            "contract/postgres/test_postgres_standby.py::test_a_standby_that_is_behind_is_told_in_the_set",
            "contract/mysql/test_mysql.py::test_a_replica_that_does_not_follow_its_source_is_told_in_the_set",
            "unit/engines/mysql/test_replica.py::test_who_is_behind_says_so",
        ),
    ),
    Fault(
        "the repository of restic is locked by somebody who still works there",
        "class `locked`: tried again until it is free",
        (f"{_OUTSIDE}a_locked_repository_is_tried_again_until_it_is_free",),
    ),
    Fault(
        "a piece is cut",
        "found by `quick` by its size, by every other level too",
        (f"{_FLIPS}damage_at_random_places_is_found_and_named",),
    ),
    Fault(
        "one bit is another",
        "found by `standard` where it reads, by `full` everywhere, with the block named",
        (
            f"{_FLIPS}damage_at_random_places_is_found_and_named",
            f"{_FLIPS}every_share_reads_its_part_and_all_shares_read_everything",
        ),
    ),
    Fault(
        "a piece, or the parent of a set, is missing",
        "the chain is broken; an earlier moment is restored and said so; the next run takes a full set",
        (
            f"{_FLIPS}a_missing_object_is_named_at_every_level",
            f"{_RECOVERY}a_broken_chain_falls_back_to_an_earlier_moment_and_says_why",
            "unit/actions/backup/test_parent.py::test_a_chain_that_is_broken_is_not_built_upon",
        ),
    ),
    Fault(
        "a dump that is empty, cut, or without its end",
        "failed; prune does not follow",
        (
            "unit/actions/backup/test_bad_dumps.py::test_a_bad_dump_is_found_and_the_good_set_before_it_stays",
        ),
    ),
    Fault(
        "a program fails, whatever it has written before",
        "failed with its code and what it said last",
        (
            "unit/core/test_process.py::test_a_program_that_fails_says_the_last_it_said",
            "contract/test_command.py::test_a_failure_tells_code_and_errors_without_the_secret",
        ),
    ),
    Fault(
        "many ask for a run at the same moment",
        "one run, one set; the others are refused with the reason",
        (
            "api/test_api_schedules.py::test_of_ten_requests_at_once_one_starts_a_run",
            f"{_QUEUE}of_fifty_clicks_one_starts_a_run",
            f"{_BACKUP}two_attempts_at_once_make_one_set",
        ),
    ),
    Fault(
        "many are due at the same moment",
        "never more at once than there are places; those with a higher priority go first",
        (f"{_QUEUE}what_is_due_at_once_waits_for_a_place_in_the_order_of_its_priority",),
    ),
    Fault(
        "two schedules read one source",
        "never at the same time",
        (
            f"{_WHOLE}two_schedules_never_read_one_source_at_once",
            f"{_QUEUE}what_is_due_at_once_waits_for_a_place_in_the_order_of_its_priority",
            f"{_LEASE}one_source_is_read_by_one_schedule",
        ),
    ),
    Fault(
        "a failure at any stage, and a retry",
        "one set id, and the pieces of one attempt",
        (
            f"{_BACKUP}a_failure_before_the_manifest_leaves_nothing_and_the_retry_makes_the_set",
            f"{_BACKUP}an_earlier_attempt_that_lost_its_pieces_takes_its_manifest_back",
        ),
    ),
    Fault(
        "the clock goes backwards, or far ahead; daylight saving",
        "told in the set; nothing is removed by a clock that jumped; each slot runs once",
        (
            f"{_BACKUP}a_clock_that_went_backwards_is_told",
            f"{_RETENTION}nothing_is_removed_when_the_clock_jumped",
            "unit/schedules/times/test_fire_times.py::test_where_the_clock_jumps",
        ),
    ),
    Fault(
        "the catalog is lost",
        "rebuilt from the manifests, chains too",
        (
            "unit/actions/restore/test_restore_and_sync.py::test_a_lost_catalog_is_rebuilt_from_the_manifests",
            "unit/actions/restore/test_restore_and_sync.py::test_chains_are_rebuilt_from_manifests_alone",
        ),
    ),
    Fault(
        "the storage may not be written, or a set is locked there",
        "class `permission`; prune says until when, and the set stays",
        (
            f"{_BACKUP}a_repository_that_cannot_be_written_is_named",
            f"{_OUTSIDE}a_permission_that_is_taken_is_not_tried_again",
            f"{_PRUNE}what_the_storage_locks_stays_as_it_is_and_so_does_what_it_needs",
        ),
    ),
    Fault(
        "the storage refuses, hangs, cuts, or its answer is lost",
        "asked again; then class `network`, no false set, and a restore that goes on",
        (
            "contract/storage/test_cut_connections.py::test_a_connection_that_is_cut_in_the_middle_leaves_no_false_set",
            "contract/storage/test_cut_connections.py::test_a_restore_whose_connection_is_cut_goes_on",
            f"{_BACKUP}a_lost_answer_leaves_no_manifest_without_its_pieces",
        ),
    ),
    Fault(
        "files change, grow and vanish while they are read",
        "each is whole, or listed; what was half read is never compared with",
        (
            f"{_FILES}a_file_that_vanishes_is_left_out_and_told",
            f"{_FILES}a_file_that_changes_while_it_is_read_is_told_and_the_rest_is_whole",
            f"{_UNREAD}a_half_read_file_is_not_what_the_next_set_compares_with",
            "unit/engines/files/test_histories.py::test_every_completed_set_of_a_tree_restores_what_it_does_not_list_as_missing",
        ),
    ),
    Fault(
        "a source cannot be read, or is not there",
        "failed, unless the schedule says `on_unreadable: warn`; a missing root always",
        (
            f"{_UNREAD}an_unreadable_file_fails_the_run_unless_the_schedule_says_otherwise",
            f"{_FILES}a_source_that_is_not_mounted_makes_no_set",
        ),
    ),
    Fault(
        "an archive that would write elsewhere: `..`, absolute names, links, devices",
        "nothing is written outside the target",
        (
            f"{_HOSTILE}nothing_is_written_outside_the_target",
            f"{_HOSTILE}a_device_is_not_made_and_the_report_says_so",
        ),
    ),
    Fault(
        "links, holes, modes, owners, times, attributes, odd names",
        "the tree comes back as it was",
        (
            f"{_CHAIN}every_link_of_a_chain_is_the_tree_of_its_moment",
            f"{_UNREAD}an_attribute_keeps_its_name",
            f"{_UNREAD}a_file_of_any_date_is_a_member_that_every_tar_reads",
        ),
    ),
    Fault(
        "very many files; frames that unpack to very much",
        "memory stays flat",
        (
            f"{_CHAIN}memory_does_not_grow_with_the_number_of_files",
            "unit/engines/files/test_hostile_frames.py::test_a_frame_of_two_gibibytes_takes_no_memory",
        ),
    ),
    Fault(
        "a SQLite database with a writer at work",
        "one moment of it, proven",
        ("unit/engines/sqlite/test_sqlite_chain.py::test_a_snapshot_under_a_writer_is_one_moment",),
    ),
    Fault(
        "PostgreSQL: rows that the role may not see, a server that dies, a newer program, DDL meanwhile",
        "failed before or during the dump, never a set with fewer rows",
        (
            "contract/postgres/test_postgres.py::test_rows_that_the_role_may_not_see_fail_the_dump",
            "contract/postgres/test_postgres_while_it_changes.py::test_a_server_that_dies_in_the_middle_leaves_no_set_and_the_next_run_takes_one",
        ),
    ),
    Fault(
        "MariaDB: what the user may not see, a log that is gone, a server that dies",
        "failed; or a full set, with the reason",
        (
            "contract/mysql/test_mysql_dies.py::test_a_server_that_dies_in_the_middle_leaves_no_set",
            "contract/mysql/test_mysql.py::test_what_the_user_may_not_see_fails_the_backup",
            "contract/mysql/test_mysql.py::test_a_log_that_was_removed_takes_a_full_set",
        ),
    ),
    Fault(
        "any policy of retention, any history",
        "the last recoverable chain stays, and no set loses what it needs",
        (f"{_RETENTION}the_promises_hold_for_any_policy_and_history",),
    ),
    Fault(
        "the window closes during a run",
        "with `finish_in_window: stop` ended within seconds, no set, class `time`",
        ("unit/operators/test_operators.py::test_a_backup_stops_when_its_window_closes",),
    ),
    Fault(
        "a tool stands still for longer than a heartbeat of Airflow",
        "the run goes on when it does, in its first attempt",
        (f"{_OUTSIDE}a_tool_that_stands_still_for_longer_than_a_heartbeat_costs_no_backup",),
    ),
    Fault(
        "a tool says nothing, or does not end",
        "`max_duration` holds; its whole group is ended",
        (
            f"{_CONTROL}a_silent_program_takes_no_longer_than_max_duration",
            f"{_CONTROL}a_read_that_does_not_come_back_is_interrupted",
            "contract/test_command.py::test_a_timeout_holds_whatever_a_child_does",
        ),
    ),
    Fault(
        "a person cancels, or pauses, at any moment",
        "who and why stay in the history and no set is left; a paused run completes",
        (
            "contract/test_run_control.py::test_a_cancelled_run_ends_at_once_with_who_and_why_and_leaves_no_set",
            "contract/test_run_control.py::test_a_run_that_was_paused_completes_and_its_set_comes_back",
        ),
    ),
    Fault(
        "a holiday, or a freeze",
        "skipped with the reason, while the deadline goes on",
        (f"{_AIRFLOW}a_scheduled_run_on_a_calendars_day_is_skipped_with_its_reason",),
    ),
    Fault(
        "no run comes to be: paused, rejected, nothing serves it",
        "told within the monitor's period",
        (
            "unit/actions/test_monitor.py::test_a_run_that_was_due_and_has_not_begun_is_overdue",
            "unit/actions/test_monitor.py::test_a_schedule_that_is_disabled_is_told_once_with_who_and_why",
        ),
    ),
    Fault(
        "a schedules file that is broken, half written or hostile",
        "the others go on, and so does its last good version; the error is shown",
        (
            f"{_AIRFLOW}one_broken_schedule_among_ten_stops_none_of_the_others",
            "unit/dags/test_generator.py::test_a_schedule_that_turns_wrong_keeps_its_dag_and_is_reported",
            "unit/schedules/loading/test_loader.py::test_aliases_that_would_grow_without_bounds_are_refused",
        ),
    ),
    Fault(
        "secrets",
        "in no argument list, log, XCom, row, manifest or child's environment",
        (
            "integration/test_secrets.py::test_no_secret_leaves_its_place",
            "contract/postgres/test_postgres.py::test_the_password_is_in_no_argument_of_any_process",
        ),
    ),
    Fault(
        "a manifest is changed, replayed, or taken away",
        "`tampered`, also without a catalog where sets are signed; no program of its choice is run",
        (
            "contract/attacks/test_attack_manifests.py::test_with_catalog_or_signature_every_changed_manifest_is_called_tampered",
            "unit/actions/test_signing.py::test_a_newest_set_that_was_taken_away_is_missed",
        ),
    ),
    Fault(
        "one fails, another succeeds, the first begins again",
        "the worst counts; a message for each trouble, and one when it is over",
        (
            f"{_MESSAGES}a_failing_then_stale_then_recovering_schedule_sends_three_messages",
            f"{_MESSAGES}many_troubles_at_once_are_one_mail",
        ),
    ),
    Fault(
        "a receiver of messages cannot be reached; a monitor is killed while it sends",
        "nobody else waits, and nothing is lost",
        (
            f"{_MESSAGES}a_receiver_that_cannot_be_reached_holds_up_nobody_and_gets_all_later",
            f"{_MESSAGES}what_a_sender_had_in_hand_when_it_died_is_sent_again_under_the_same_id",
        ),
    ),
)


def page() -> str:
    """Return the page of the documentation."""
    rows = "\n".join(
        f"| {fault.what} | {fault.outcome} | {', '.join(_link(test) for test in fault.tests)} |"
        for fault in FAULTS
    )
    return _HEAD + rows + "\n"


def unshown(outcomes: Mapping[str, str]) -> list[Fault]:
    """Return the faults of which a test did not pass in a run; ``outcomes`` by ``module::function``."""
    return [
        fault for fault in FAULTS if any(outcomes.get(test) != "passed" for test in fault.tests)
    ]


def _link(test: str) -> str:
    module, _, function = test.partition("::")
    return f"[{function.removeprefix('test_').replace('_', ' ')}](../../tests/{module})"


_HEAD = """# What goes wrong, and what comes of it

Made from `tests/support/faults.py`. Each row is shown by the tests that it names, which are part of the suite; a run
of the whole suite says at its end of how many of these faults all tests have passed. Classes of failures, and which
of them are tried again: [keep runs in hand](../how-to/runs.md).

| what goes wrong | what comes of it | shown by |
|---|---|---|
"""
