"""The demo shop's help pages: one passage for each of Bitext's 27 intents, with the facts that answer it.

Written for this kit. Every fact stands word for word in its passage, which a test holds.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """text: what the shop publishes. facts: what a customer who asks must be told, words of the text."""

    text: str
    facts: tuple[str, ...]


HELP = {
    "cancel_order": Passage(
        "Open My Orders and press Cancel. This works for 2 hours after the purchase; later, return it.",
        ("My Orders", "2 hours"),
    ),
    "change_order": Passage(
        "An order can be changed for 2 hours in My Orders. After that, place a second order.",
        ("2 hours", "My Orders"),
    ),
    "change_shipping_address": Passage(
        "Under My Addresses choose Edit. Parcels that left the warehouse can be redirected at Kestrel Post.",
        ("My Addresses", "Kestrel Post"),
    ),
    "check_cancellation_fee": Passage(
        "Cancelling is free for 24 hours. Later a fee of 3.50 euros is kept.", ("24 hours", "3.50 euros")
    ),
    "check_invoice": Passage(
        "Invoices of the last 10 years are under My Invoices. Wrong amounts are corrected within 3 days.",
        ("My Invoices", "3 days"),
    ),
    "check_payment_methods": Passage(
        "We take Visa, Mastercard, bank transfer and instalments from 100 euros on.",
        ("Visa", "Mastercard", "100 euros"),
    ),
    "check_refund_policy": Passage(
        "Articles can be returned within 30 days. The price is paid back in full, without the delivery fee.",
        ("30 days", "in full"),
    ),
    "complaint": Passage(
        "Write to complaints@kestrel.example. You get a reply within 5 days.",
        ("complaints@kestrel.example", "5 days"),
    ),
    "contact_customer_service": Passage(
        "Our service answers at 0800 555 0199 from 8 to 20 o'clock, Monday to Saturday.",
        ("0800 555 0199", "8 to 20", "Monday to Saturday"),
    ),
    "contact_human_agent": Passage(
        "Press 0 during a call, or write Agent in the chat. The waiting time is 4 minutes on average.",
        ("Press 0", "4 minutes"),
    ),
    "create_account": Passage(
        "Press Sign Up, enter an e-mail address and confirm the link within 48 hours.",
        ("Sign Up", "48 hours"),
    ),
    "delete_account": Passage(
        "Choose Close Account under Privacy. All data are erased after 30 days.", ("Close Account", "30 days")
    ),
    "delivery_options": Passage(
        "Standard delivery costs 4.90 euros, Express 9.90 euros; delivery to a pick-up point is free.",
        ("4.90 euros", "9.90 euros", "pick-up point"),
    ),
    "delivery_period": Passage(
        "Standard parcels arrive in 3 to 5 days, Express parcels the next day.", ("3 to 5 days", "next day")
    ),
    "edit_account": Passage(
        "Name, e-mail and phone number are changed under My Profile; a code of 6 digits confirms it.",
        ("My Profile", "6 digits"),
    ),
    "get_invoice": Passage(
        "Every invoice can be downloaded as PDF under My Invoices, 1 day after dispatch.",
        ("PDF", "My Invoices", "1 day"),
    ),
    "get_refund": Passage(
        "Press Return in My Orders and send the parcel within 14 days; the label is free.",
        ("Return", "14 days", "free"),
    ),
    "newsletter_subscription": Passage(
        "The newsletter comes on Fridays. Subscribe or unsubscribe under My Letters with one click.",
        ("Fridays", "My Letters"),
    ),
    "payment_issue": Passage(
        "Try again after 15 minutes or with another card. A double charge is paid back within 7 days.",
        ("15 minutes", "7 days"),
    ),
    "place_order": Passage(
        "Put articles into the basket and press Buy Now. The least order value is 10 euros.",
        ("Buy Now", "10 euros"),
    ),
    "recover_password": Passage(
        "Press Forgot Password. The link in the e-mail is good for 20 minutes.",
        ("Forgot Password", "20 minutes"),
    ),
    "registration_problems": Passage(
        "Delete the cookies and try again. If error E17 stays, write to signup@kestrel.example.",
        ("cookies", "signup@kestrel.example"),
    ),
    "review": Passage(
        "Open the article and press Rate It. Reviews are published after 2 days.", ("Rate It", "2 days")
    ),
    "set_up_shipping_address": Passage(
        "Press Add Address under My Addresses; up to 8 addresses can be saved.",
        ("Add Address", "8 addresses"),
    ),
    "switch_account": Passage(
        "Press Log Out, then log in with the other account. Business accounts need a Tax Number.",
        ("Log Out", "Tax Number"),
    ),
    "track_order": Passage(
        "The number in the dispatch e-mail opens Kestrel Post's tracking page; it is updated every 4 hours.",
        ("Kestrel Post", "4 hours"),
    ),
    "track_refund": Passage(
        "A refund reaches the bank within 10 days. Its state is shown under My Refunds.",
        ("10 days", "My Refunds"),
    ),
}
