"""DOOR 3: the staff's pages, rendered here and working without JavaScript.

    signing_in     /console/sign-in, /console/sign-out, /console/enrolment
    home           /console/, /console/account
    search         /console/search                a number, or a person by ID number: for whoever does the business
    people         /console/people/…              one person's story in time order
    staff          /console/staff…                administrators let people in and out
    reviews        /console/reviews…              reviewers decide applications, supervisors are the second person
    counter        /console/counter…              reviewers and supervisors see people at the counter
    inbox          /console/inbox…                accountants and supervisors, as with the next five: parked notices
    refunds        /console/refunds…              one applies, another decides
    debits         /console/debits…               what banks were told to debit, and what they said
    reconciliation /console/reconciliation…       days against the providers' bills
    journal        /console/journal…              accounts, and the transfers behind any figure
    explain        /console/explain               what one payment ever did
    audit          /console/audit/…               auditors read who looked and who did what

A page is declared by `@page(path, roles=…)` in pages.py, and in no other way: it asks who is there, checks role, scope and form, and
writes down who looked.
"""
