"""Small exports in the shape in which each vendor writes them, so that what a recipe makes of them is told by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

Events = Iterable[Mapping[str, object]]

_GA4 = (
    # time (1767225600 is New Year 2026), event, cookie, user, address of the page, source, medium, revenue
    (1766880000_000001, "page_view", "c1.1", None, "https://example.org/?gclid=Cj0", "google", "cpc", None),
    (1766880000_000001, "user_engagement", "c1.1", None, "https://example.org/", "google", "cpc", None),
    (1767229200_000000, "generate_lead", "c1.1", "u-17", "https://example.org/form", "google", "cpc", None),
    (1767315600_000000, "page_view", "c2.2", "u-17", "https://example.org/", "(direct)", "(none)", None),
    (1767402000_000000, "purchase", "c2.2", "u-17", "https://example.org/thanks", "(direct)", "(none)", 49.9),
    (1767225600_000000, "page_view", "c3.3", None, "https://example.org/", "bing", "organic", None),
    (1767225700_000000, "page_view", None, None, "https://example.org/", "bing", "organic", None),
)


def ga4_event(
    at: int, name: str, cookie: str | None, user: str | None, page: str, source: str, medium: str, revenue: float | None
) -> dict[str, object]:
    """Give one row of ``events_YYYYMMDD`` as BigQuery writes it: whole numbers are texts, what is null is left out."""
    event: dict[str, object] = {
        "event_date": "20260101",
        "event_timestamp": str(at),
        "event_name": name,
        "event_params": [
            {"key": "ga_session_id", "value": {"int_value": str(at // 10**9)}},
            {"key": "page_location", "value": {"string_value": page}},
        ],
        "user_pseudo_id": cookie,
        "user_id": user,
        "traffic_source": {"source": source, "medium": medium, "name": "(direct)" if medium == "(none)" else "spring"},
        "ecommerce": {"purchase_revenue": revenue} if revenue is not None else None,
        "user_ltv": {"revenue": 49.9, "currency": "EUR"},
    }
    return {key: value for key, value in event.items() if value is not None}


def write_ga4(folder: Path, events: Events | None = None) -> None:
    """Write GA4's daily table."""
    lines = [json.dumps(event) + "\n" for event in events or (ga4_event(*row) for row in _GA4)]
    folder.mkdir(parents=True)
    (folder / "events_20260101.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


def write_hubspot(folder: Path) -> None:
    """Write HubSpot's exports of contacts and deals, and engagements as the API gives them."""
    folder.mkdir(parents=True)
    (folder / "contacts.csv").write_text(
        '"Record ID","Create Date","Lifecycle Stage","Lead Status","Became a Lead Date",'
        '"Became a Marketing Qualified Lead Date","Became an Opportunity Date","Became a Customer Date",'
        '"Original Source","Number of Sessions","Last Activity Date"\n'
        '"101","2026-01-12 09:00","Customer","","2026-01-12 09:00","2026-01-13 10:30","2026-02-02 11:00",'
        '"2026-07-01 12:00","Organic Search","31","2026-07-04 08:00"\n'
        '"102","2026-01-12 09:05","Opportunity","Open","2026-01-12 09:05","","2026-02-03 11:00","",'
        '"Direct Traffic","2","2026-03-01 08:00"\n'
        '"103","2026-01-12 09:10","Lead","New","2026-01-12 09:10","","","","Paid Search","1",""\n',
        encoding="utf-8",
    )
    (folder / "deals.csv").write_text(
        '"Record ID","Deal Name","Deal Stage","Create Date","Close Date","Amount","Associated Contact IDs"\n'
        '"9001","Roof","Closed Won","2026-02-02 11:00","2026-07-01 12:00","1200.00","101"\n'
        '"9002","Roof, west","Closed Lost","2026-02-03 11:00","2026-03-01 08:00","800.00","101;102"\n'
        '"9003","Cellar","Contract Sent","2026-02-04 11:00","2026-12-31 00:00","5000.00","103"\n',
        encoding="utf-8",
    )
    engagements = [
        (501, "CALL", 1768300000_000, 1768303600_000, [101]),
        (502, "INCOMING_EMAIL", 1768400000_500, 1768400000_500, [101, 102]),
        (503, "NOTE", 1768500000_000, 1768500000_000, []),
        (504, "EMAIL", 1768600000_000, 1768600000_000, [999]),
    ]
    lines = [
        {
            "engagement": {"id": number, "active": True, "createdAt": created, "type": kind, "timestamp": at},
            "associations": {"contactIds": contacts, "companyIds": [], "dealIds": []},
            "metadata": {"body": "so secret"},
        }
        for number, kind, at, created, contacts in engagements
    ]
    (folder / "engagements.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


_SALESFORCE = {
    "Lead": """
Id,CreatedDate,Status,LeadSource,IsConverted,ConvertedDate,ConvertedContactId,ConvertedOpportunityId,LastActivityDate
00Q1,2026-01-05T08:00:00.000Z,Closed - Converted,Web,true,2026-01-20,0031,0061,2026-02-28
00Q2,2026-01-06T08:00:00.000Z,Unqualified,Partner,false,,,,2026-01-09
00Q3,2026-01-07T08:00:00.000Z,Closed - Converted,Web,true,2026-01-21,0033,0063,2026-02-01
00Q4,2026-01-08T08:00:00.000Z,Closed - Converted,Web,true,2026-01-22,0034,0064,
""",
    "Task": """
Id,WhoId,CreatedDate,ActivityDate,Type,Subject
00T1,0031,2026-01-06T09:00:00.000Z,2026-01-30,Call,secret
00T2,00Q2,2026-01-08T09:00:00.000Z,2026-01-09,Inbound Call,secret
00T3,0039,2026-01-08T10:00:00.000Z,2026-01-09,Call,a contact that never was a lead
00T4,0033,2026-01-09T09:00:00.000Z,,,no type
""",
    "LeadHistory": """
Id,LeadId,Field,OldValue,NewValue,CreatedDate
0171,00Q1,created,,,2026-01-05T08:00:00.000Z
0172,00Q1,Status,New,Working,2026-01-06T09:30:00.000Z
0173,00Q1,Owner,Jane,John,2026-01-06T09:31:00.000Z
0174,00Q1,leadConverted,,,2026-01-20T15:45:00.000Z
0175,00Q2,Status,New,Unqualified,2026-01-09T10:00:00.000Z
""",
    "Opportunity": """
Id,StageName,CloseDate,IsWon,IsClosed,Amount,CurrencyIsoCode
0061,Closed Won,2026-02-28,true,true,1100.0,USD
0063,Closed Lost,2026-02-01,false,true,500.0,EUR
0064,Negotiation,2026-12-31,false,false,9000.0,EUR
0069,Closed Won,2026-02-02,true,true,70.0,EUR
""",
    "DatedConversionRate": """
IsoCode,StartDate,ConversionRate
EUR,2026-01-01,1.0
USD,2026-01-01,1.25
USD,2026-02-01,1.1
""",
}


def write_salesforce(folder: Path, objects: Mapping[str, str] = _SALESFORCE) -> None:
    """Write Salesforce's objects as Data Loader does: all in quotes."""
    folder.mkdir(parents=True)
    for name, text in objects.items():
        lines = [",".join(f'"{cell}"' for cell in line.split(",")) for line in text.split("\n") if line]
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_shop(folder: Path) -> None:
    """Write a shop's log: a cart that is paid for, one that is left, one still open, and a session without any."""
    folder.mkdir(parents=True)
    (folder / "events.csv").write_text(
        "event_time,event,session_id,user_id,product_id,price,utm_source,utm_medium\n"
        "2026-01-01 10:00:00 UTC,view,s1,7,11,19.90,google,organic\n"
        "2026-01-01 10:01:00 UTC,add_to_cart,s1,7,11,19.90,google,organic\n"
        "2026-01-01 10:05:30 UTC,purchase,s1,7,11,19.90,google,organic\n"
        "2026-01-02 10:00:00 UTC,add_to_cart,s2,,12,5.00,newsletter,email\n"
        "2026-01-02 10:02:00 UTC,add_to_cart,s2,,13,7.50,newsletter,email\n"
        "2026-01-03 10:00:00 UTC,view,s3,8,12,5.00,,\n"
        "2026-01-10 10:00:00 UTC,add_to_cart,s4,8,12,5.00,,\n",
        encoding="utf-8",
    )


def write_ads(folder: Path) -> None:
    """Write what two ad platforms charged, in two currencies, and the visits they brought."""
    folder.mkdir(parents=True)
    files = {
        "google_ads": 'Day,Campaign,Cost,Clicks,Currency code\n2026-01-05,brand,"1,234.50",320,EUR\n'
        "2026-01-06,brand,80.00,20,EUR\n",
        "meta_ads": "Day,Campaign name,Amount spent (USD),Link clicks\n2026-01-05,spring,220.00,90\n"
        "2026-01-06,spring,0.00,0\n",
        "rates": "day,currency,rate\n2026-01-01,USD,0.9\n2026-01-06,USD,0.8\n",
        "visits": "time,visitor,event,utm_source,utm_medium,utm_campaign,gclid,fbclid,referrer\n"
        "2026-01-05T10:00:00Z,v1,visit,google,cpc,brand,Cj0,,https://www.google.com/\n"
        "2026-01-05T11:00:00Z,v2,visit,facebook,paid,spring,,IwAR,https://l.facebook.com/\n"
        "2026-01-05T12:00:00Z,v3,visit,,,,,,\n"
        "2026-01-06T12:00:00Z,v1,signed,,,,,,\n",
    }
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def write_french_crm(folder: Path) -> None:
    """Write the two tables of a CRM that exports for Excel."""
    folder.mkdir(parents=True)
    (folder / "prospects.csv").write_bytes(
        "N° prospect;Date de création;Origine;Surface (m²);Étape;Montant (€);"
        "Date du devis;Date de signature;Date de perte\r\n"
        "P1;05/01/2026;Salon;85,5;Gagné;1\u00a0234,50;20/01/2026;03/02/2026;\r\n"
        "P2;31/01/2026;Téléphone;1\u00a0120,25;Perdu;990,00;02/02/2026;;15/04/2026\r\n"
        "P3;01/02/2026;Salon;;Nouveau;;;;\r\n".encode("cp1252")
    )
    (folder / "actions.csv").write_bytes(
        "N° prospect;Type;Sens;Date;Objet\r\n"
        "P1;Appel;Entrant;06/01/2026 09:15;très secret\r\n"
        "P1;E-mail;Sortant;06/07/2026 09:15;rien\r\n"
        "P9;Appel;Sortant;06/01/2026 10:00;inconnu\r\n".encode("cp1252")
    )


def write_table(folder: Path) -> None:
    """Write a table of leads that says who has converted, and nothing else of time."""
    folder.mkdir(parents=True)
    (folder / "Leads.csv").write_text(
        "Prospect ID,Lead Number,Lead Origin,Lead Source,Do Not Email,Converted,TotalVisits,"
        "What is your current occupation,Tags\n"
        "d4,660400,API,Google,No,0,2,Student,Ringing\n"
        "c3,660300,API,,No,1,5,Unemployed,Will revert\n"
        "b2,660200,Landing Page,Google,Yes,0,1,,Busy\n"
        "a1,9900,Landing Page,Reference,No,1,9,Student,Closed by us\n",
        encoding="utf-8",
    )
