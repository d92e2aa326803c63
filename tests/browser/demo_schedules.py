"""What the company of the pictures backs up: all well, one typing error, one promise not kept, and very much of it."""

from __future__ import annotations

HEALTHY = """\
version: 1
defaults:
  timezone: Europe/Berlin
  repository: s3://acme-backups/production
  connection: aws_backup
  alert_after: 26h
windows:
  nightly: {days: [mon-sun], from: "22:00", to: "06:00"}
schedules:
  - id: orders
    description: Orders database of the shop
    group: databases
    tags: [prod]
    source: {engine: sqlite, path: /srv/shop/orders.db}
    levels: {full: "0 2 * * sun", incremental: "0 2 * * mon-sat"}
    retention: {daily: 14, weekly: 8}
    window: nightly
  - id: customers
    description: Customer records
    group: databases
    tags: [prod, gdpr]
    source: {engine: sqlite, path: /srv/crm/customers.db}
    cron: "30 1 * * *"
    window: nightly
  - id: ledger
    description: General ledger, kept for ten years
    group: databases
    tags: [prod, finance]
    source: {engine: sqlite, path: /srv/erp/ledger.db}
    every: 4h
    alert_after: 9h
  - id: wiki
    description: Company wiki with its attachments
    group: files
    tags: [docs]
    source: {engine: files, path: /srv/wiki}
    cron: "15 3 * * *"
  - id: mail-archive
    description: Mail of the last seven years
    group: files
    tags: [prod]
    source: {engine: files, path: /srv/mail}
    levels: {full: "0 23 * * sat", incremental: "0 23 * * sun-fri"}
    window: nightly
  - id: home
    description: Home folders of the staff
    group: files
    tags: [office]
    source: {engine: files, path: /home}
    cron: "45 22 * * *"
    window: nightly
  - id: media
    description: Product photos and videos
    group: files
    tags: [shop]
    source: {engine: files, path: /srv/media}
    cron: "0 4 * * *"
  - id: metrics
    description: Dashboards and their data
    group: databases
    tags: [ops]
    source: {engine: sqlite, path: /var/lib/grafana/grafana.db}
    preset: hourly
    alert_after: 3h
"""

BROKEN = """\
  - id: sandbox
    description: Playground of the data team
    tags: [dev]
    source: {engine: files, path: /srv/sandbox}
    preset: daily
    enabled: false
  - id: gitlab
    description: Git repositories
    group: files
    tags: [prod]
    source: {engine: files, path: /var/opt/gitlab}
    crn: "0 1 * * *"
"""
"""One that is switched off, and one with a typing error."""

SCHEDULES = HEALTHY + BROKEN

UNPROVEN = HEALTHY.replace(
    "  - id: ledger\n", "  - id: ledger\n    verify: {restore_test: weekly}\n"
)
"""One whose promise of a weekly restore test is not kept."""

DEPARTMENTS = ("finance", "sales", "warehouse", "research", "support", "web")
THINGS = (
    "orders",
    "files",
    "mail",
    "wiki",
    "reports",
    "images",
    "ledger",
    "archive",
    "forms",
    "inbox",
    "notes",
    "plans",
)
MANY = HEALTHY + "".join(
    f"""\
  - id: {department}-{thing}
    group: {department}
    tags: [{"prod" if place % 3 else "office"}]
    source: {{engine: files, path: /srv/{department}/{thing}}}
    cron: "{(7 * place) % 60} {(3 * place + 2 * number) % 24} * * *"
    window: {"nightly" if place % 4 == 0 else "null"}
"""
    for number, department in enumerate(DEPARTMENTS)
    for place, thing in enumerate(THINGS)
)
"""A company of six departments."""
