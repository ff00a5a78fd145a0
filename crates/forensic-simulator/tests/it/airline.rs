//! The tools of τ-bench's airline as handlers, after its public description of them.

use std::sync::Arc;

use action::PathPattern;
use forensic_simulator::{Context, Handler, Reversibility, Simulator, Stop};
use serde_json::{Map, Number, Value, json};

type Play = fn(&mut Context<'_, '_>, &[String]) -> Result<Value, Stop>;

/// One tool. The numbers of the flights are its catalogue: flights come and go in no plan.
struct Tool {
    play: Play,
    flights: Vec<String>,
}

impl Handler for Tool {
    fn simulate(&self, context: &mut Context<'_, '_>) -> Result<(), Stop> {
        let answer = (self.play)(context, &self.flights)?;
        context.answer(answer);
        Ok(())
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }
}

pub(crate) fn airline(flights: Vec<String>) -> Simulator {
    let tools: [(&str, Play); 14] = [
        ("book_reservation", book),
        ("calculate", calculate),
        ("cancel_reservation", cancel),
        ("get_reservation_details", |context, _| {
            let id = context.text("reservation_id")?;
            find(context, "reservations", id, "user not found")
        }),
        ("get_user_details", |context, _| {
            let id = context.text("user_id")?;
            find(context, "users", id, "user not found")
        }),
        ("list_all_airports", |_, _| Ok(airports())),
        ("search_direct_flight", search_direct),
        ("search_onestop_flight", search_onestop),
        ("send_certificate", send_certificate),
        ("think", |_, _| Ok(json!(""))),
        ("transfer_to_human_agents", |_, _| {
            Ok(json!("Transfer successful"))
        }),
        ("update_reservation_baggages", update_baggages),
        ("update_reservation_flights", update_flights),
        ("update_reservation_passengers", update_passengers),
    ];
    let builder = tools
        .into_iter()
        .fold(Simulator::builder(), |builder, (name, play)| {
            let pattern = PathPattern::new(format!("airline/{name}")).unwrap();
            let flights = flights.clone();
            builder.handler(pattern, Tool { play, flights })
        });
    builder.build().unwrap()
}

fn fail<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::would_fail(reason))
}

fn find(
    context: &mut Context<'_, '_>,
    table: &str,
    id: &str,
    missing: &str,
) -> Result<Value, Stop> {
    match context.read(&format!("{table}/{id}")) {
        Some(fact) => Ok(fact.value().cloned().unwrap_or_default()),
        None => fail(missing),
    }
}

/// Sums as Python does: integers stay integers.
fn sum<'a>(numbers: impl Iterator<Item = &'a Value>) -> Value {
    numbers.fold(json!(0), |total, number| plus(&total, number, 1))
}

/// `a + factor * b`.
fn plus(a: &Value, b: &Value, factor: i64) -> Value {
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => json!(a + factor * b),
        _ => json!(a.as_f64().unwrap() + factor as f64 * b.as_f64().unwrap()),
    }
}

fn less(a: &Value, b: &Value) -> bool {
    a.as_f64().unwrap() < b.as_f64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// What a flight costs and whether it has room, or why not.
fn fare(
    context: &mut Context<'_, '_>,
    flight: &Value,
    cabin: &str,
    passengers: usize,
) -> Result<(Value, Value), Stop> {
    let (number, date) = (
        flight["flight_number"].as_str().unwrap(),
        flight["date"].as_str().unwrap(),
    );
    let data = find(
        context,
        "flights",
        number,
        &format!("flight {number} not found"),
    )?;
    let Some(day) = data["dates"].get(date) else {
        return fail(format!("flight {number} not found on date {date}"));
    };
    if day["status"] != "available" {
        return fail(format!("flight {number} not available on date {date}"));
    }
    if day["available_seats"][cabin].as_u64().unwrap() < passengers as u64 {
        return fail(format!("not enough seats on flight {number}"));
    }
    let price = day["prices"][cabin].clone();
    Ok((data, price))
}

fn with_fare(flight: &mut Value, data: &Value, price: &Value) {
    flight["price"] = price.clone();
    flight["origin"] = data["origin"].clone();
    flight["destination"] = data["destination"].clone();
}

fn book(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let user_id = context.text("user_id")?;
    let mut user = find(context, "users", user_id, "user not found")?;
    let mut free = None;
    for id in ["HATHAT", "HATHAU", "HATHAV"] {
        if free.is_none() && context.read(&format!("reservations/{id}")).is_none() {
            free = Some(id);
        }
    }
    let id = free.unwrap_or("HATHAV");
    let cabin = context.text("cabin")?;
    let passengers = context.parameter("passengers")?;
    let payments = context.parameter("payment_methods")?;
    let people = list(passengers).len();
    let mut flights = context.parameter("flights")?.clone();
    let mut total = json!(0);
    for flight in flights.as_array_mut().unwrap() {
        let (data, price) = fare(context, flight, cabin, people)?;
        with_fare(flight, &data, &price);
        total = plus(&total, &price, people as i64);
    }
    if context.text("insurance")? == "yes" {
        total = plus(&total, &json!(30 * people), 1);
    }
    total = plus(&total, context.parameter("nonfree_baggages")?, 50);
    check_payments(&user, payments, &total)?;
    pay(&mut user, payments);
    let mut reservation = Map::new();
    for name in [
        "user_id",
        "origin",
        "destination",
        "flight_type",
        "cabin",
        "passengers",
        "total_baggages",
        "nonfree_baggages",
        "insurance",
    ] {
        reservation.insert(name.to_owned(), context.parameter(name)?.clone());
    }
    reservation.insert("reservation_id".into(), json!(id));
    reservation.insert("flights".into(), flights);
    reservation.insert("payment_history".into(), payments.clone());
    reservation.insert("created_at".into(), json!("2024-05-15T15:00:00"));
    let reservation = Value::Object(reservation);
    user["reservations"].as_array_mut().unwrap().push(json!(id));
    context.write(&format!("users/{user_id}"), user);
    context.write(&format!("reservations/{id}"), reservation.clone());
    Ok(reservation)
}

fn check_payments(user: &Value, payments: &Value, total: &Value) -> Result<(), Stop> {
    for payment in list(payments) {
        let id = payment["payment_id"].as_str().unwrap();
        let Some(method) = user["payment_methods"].get(id) else {
            return fail(format!("payment method {id} not found"));
        };
        let limited = method["source"] == "gift_card" || method["source"] == "certificate";
        if limited && less(&method["amount"], &payment["amount"]) {
            return fail(format!("not enough balance in payment method {id}"));
        }
    }
    let paid = sum(list(payments).iter().map(|payment| &payment["amount"]));
    if paid.as_f64() != total.as_f64() {
        return fail(format!(
            "payment amount does not add up, total price is {total}, but paid {paid}"
        ));
    }
    Ok(())
}

fn pay(user: &mut Value, payments: &Value) {
    for payment in list(payments) {
        let id = payment["payment_id"].as_str().unwrap();
        let methods = user["payment_methods"].as_object_mut().unwrap();
        if methods[id]["source"] == "gift_card" {
            methods[id]["amount"] = plus(&methods[id]["amount"], &payment["amount"], -1);
        } else if methods[id]["source"] == "certificate" {
            methods.remove(id);
        }
    }
}

fn cancel(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let id = context.text("reservation_id")?;
    let mut reservation = find(context, "reservations", id, "reservation not found")?;
    let history = reservation["payment_history"].as_array_mut().unwrap();
    let refunds: Vec<_> = history
        .iter()
        .map(|payment| {
            let amount = plus(&json!(0), &payment["amount"], -1);
            json!({"payment_id": payment["payment_id"], "amount": amount})
        })
        .collect();
    history.extend(refunds);
    reservation["status"] = json!("cancelled");
    context.write(&format!("reservations/{id}"), reservation.clone());
    Ok(reservation)
}

fn send_certificate(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let user_id = context.text("user_id")?;
    let mut user = find(context, "users", user_id, "user not found")?;
    let amount = context.parameter("amount")?;
    let methods = user["payment_methods"].as_object_mut().unwrap();
    for id in [
        "certificate_3221322",
        "certificate_3221323",
        "certificate_3221324",
    ] {
        if !methods.contains_key(id) {
            let certificate = json!({"source": "certificate", "amount": amount, "id": id});
            methods.insert(id.to_owned(), certificate);
            context.write(&format!("users/{user_id}"), user);
            return Ok(json!(format!(
                "Certificate {id} added to user {user_id} with amount {amount}."
            )));
        }
    }
    Ok(Value::Null)
}

/// Charges an update of a reservation, or says why it cannot be.
fn charge(
    context: &mut Context<'_, '_>,
    reservation: &mut Value,
    total: &Value,
) -> Result<(), Stop> {
    let payment_id = context.text("payment_id")?;
    let user_key = format!("users/{}", reservation["user_id"].as_str().unwrap());
    let mut user = (*context.known(&user_key)?).clone();
    let Some(method) = user["payment_methods"].get_mut(payment_id) else {
        return fail("payment method not found");
    };
    if method["source"] == "certificate" {
        return fail("certificate cannot be used to update reservation");
    }
    if method["source"] == "gift_card" {
        if less(&method["amount"], total) {
            return fail("gift card balance is not enough");
        }
        method["amount"] = plus(&method["amount"], total, -1);
        context.write(&user_key, user);
    }
    if total.as_f64() != Some(0.0) {
        let payment = json!({"payment_id": payment_id, "amount": total});
        reservation["payment_history"]
            .as_array_mut()
            .unwrap()
            .push(payment);
    }
    Ok(())
}

fn update_baggages(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let id = context.text("reservation_id")?;
    let mut reservation = find(context, "reservations", id, "reservation not found")?;
    let nonfree = context.integer("nonfree_baggages")?;
    let added = nonfree - reservation["nonfree_baggages"].as_i64().unwrap();
    charge(context, &mut reservation, &json!(50 * added.max(0)))?;
    reservation["total_baggages"] = context.parameter("total_baggages")?.clone();
    reservation["nonfree_baggages"] = json!(nonfree);
    context.write(&format!("reservations/{id}"), reservation.clone());
    Ok(reservation)
}

fn update_flights(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let id = context.text("reservation_id")?;
    let mut reservation = find(context, "reservations", id, "reservation not found")?;
    let cabin = context.text("cabin")?;
    let people = list(&reservation["passengers"]).len();
    let mut flights = context.parameter("flights")?.clone();
    let mut total = json!(0);
    for flight in flights.as_array_mut().unwrap() {
        let booked = list(&reservation["flights"]).iter().find(|booked| {
            booked["flight_number"] == flight["flight_number"]
                && booked["date"] == flight["date"]
                && reservation["cabin"] == cabin
        });
        let (data, price) = match booked {
            Some(booked) => (booked.clone(), booked["price"].clone()),
            None => fare(context, flight, cabin, people)?,
        };
        with_fare(flight, &data, &price);
        total = plus(&total, &price, people as i64);
    }
    let before = sum(list(&reservation["flights"])
        .iter()
        .map(|flight| &flight["price"]));
    total = plus(&total, &before, -(people as i64));
    charge(context, &mut reservation, &total)?;
    reservation["flights"] = flights;
    context.write(&format!("reservations/{id}"), reservation.clone());
    Ok(reservation)
}

fn update_passengers(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let id = context.text("reservation_id")?;
    let mut reservation = find(context, "reservations", id, "reservation not found")?;
    let passengers = context.parameter("passengers")?;
    if list(passengers).len() != list(&reservation["passengers"]).len() {
        return fail("number of passengers does not match");
    }
    reservation["passengers"] = passengers.clone();
    context.write(&format!("reservations/{id}"), reservation.clone());
    Ok(reservation)
}

/// A flight as searches show it on one day, if it can be booked then.
fn on_day(flight: &Value, date: &str, shown: &str) -> Option<Value> {
    (flight["dates"].get(date)?["status"] == "available").then_some(())?;
    let mut found = flight.as_object()?.clone();
    found.remove("dates");
    found.extend(flight["dates"].get(shown)?.as_object()?.clone());
    Some(Value::Object(found))
}

fn all_flights(context: &mut Context<'_, '_>, flights: &[String]) -> Vec<Arc<Value>> {
    let mut read = |number| context.known(&format!("flights/{number}"));
    flights
        .iter()
        .filter_map(|number| read(number).ok())
        .collect()
}

fn search_direct(context: &mut Context<'_, '_>, flights: &[String]) -> Result<Value, Stop> {
    let (from, to) = (context.text("origin")?, context.text("destination")?);
    let date = context.text("date")?;
    let flights = all_flights(context, flights);
    let wanted = flights
        .iter()
        .filter(|f| f["origin"] == from && f["destination"] == to);
    Ok(wanted
        .filter_map(|flight| on_day(flight, date, date))
        .collect())
}

fn search_onestop(context: &mut Context<'_, '_>, flights: &[String]) -> Result<Value, Stop> {
    let (from, to) = (context.text("origin")?, context.text("destination")?);
    let date = context.text("date")?;
    let flights = all_flights(context, flights);
    let mut found = Vec::new();
    for first in flights.iter().filter(|f| f["origin"] == from) {
        let arrival = first["scheduled_arrival_time_est"].as_str().unwrap();
        let day: u32 = date[date.len() - 2..].parse().unwrap();
        let next_day = format!("2024-05-{}", day + 1);
        let second_date = if arrival.contains("+1") {
            &next_day
        } else {
            date
        };
        for second in flights.iter().filter(|f| f["destination"] == to) {
            let departure = second["scheduled_departure_time_est"].as_str().unwrap();
            if first["destination"] != second["origin"] || arrival > departure {
                continue;
            }
            // As published: the second flight is judged on its own day and shown on the first's.
            let pair = (on_day(first, date, date), on_day(second, second_date, date));
            if let (Some(mut one), Some(mut two)) = pair {
                one["date"] = json!(date);
                two["date"] = json!(second_date);
                found.push(json!([one, two]));
            }
        }
    }
    Ok(Value::Array(found))
}

fn airports() -> Value {
    json!({
        "SFO": "San Francisco", "JFK": "New York", "LAX": "Los Angeles", "ORD": "Chicago",
        "DFW": "Dallas", "DEN": "Denver", "SEA": "Seattle", "ATL": "Atlanta", "MIA": "Miami",
        "BOS": "Boston", "PHX": "Phoenix", "IAH": "Houston", "LAS": "Las Vegas", "MCO": "Orlando",
        "EWR": "Newark", "CLT": "Charlotte", "MSP": "Minneapolis", "DTW": "Detroit",
        "PHL": "Philadelphia", "LGA": "LaGuardia",
    })
}

fn calculate(context: &mut Context<'_, '_>, _: &[String]) -> Result<Value, Stop> {
    let text: Vec<u8> = context
        .text("expression")?
        .bytes()
        .filter(|b| *b != b' ')
        .collect();
    if !text.iter().all(|b| b"0123456789+-*/().".contains(b)) {
        return fail("invalid characters in expression");
    }
    let mut rest = text.as_slice();
    let value = terms(&mut rest);
    let mut shown = String::new();
    python(&json!((value * 100.0).round() / 100.0), &mut shown);
    Ok(json!(shown))
}

fn terms(rest: &mut &[u8]) -> f64 {
    let mut total = factors(rest);
    while let [sign @ (b'+' | b'-'), after @ ..] = *rest {
        *rest = after;
        let term = factors(rest);
        total += if *sign == b'+' { term } else { -term };
    }
    total
}

fn factors(rest: &mut &[u8]) -> f64 {
    let mut total = atom(rest);
    while let [sign @ (b'*' | b'/'), after @ ..] = *rest {
        *rest = after;
        let factor = atom(rest);
        total = if *sign == b'*' {
            total * factor
        } else {
            total / factor
        };
    }
    total
}

fn atom(rest: &mut &[u8]) -> f64 {
    if let [b'-', after @ ..] = *rest {
        *rest = after;
        return -atom(rest);
    }
    if let [b'(', after @ ..] = *rest {
        *rest = after;
        let inner = terms(rest);
        *rest = rest.strip_prefix(b")").unwrap_or(rest);
        return inner;
    }
    let digits = rest
        .iter()
        .take_while(|b| b.is_ascii_digit() || **b == b'.')
        .count();
    let (number, after) = rest.split_at(digits);
    *rest = after;
    std::str::from_utf8(number).unwrap().parse().unwrap()
}

/// Python's `str()` of a value whose objects and arrays have become sorted tuples.
pub(crate) fn python(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("None"),
        Value::Bool(true) => text.push_str("True"),
        Value::Bool(false) => text.push_str("False"),
        Value::Number(number) => push_number(number, text),
        Value::String(string) => push_string(string, text),
        Value::Array(items) => push_tuple(items, text, python),
        Value::Object(fields) => {
            // Python sorts by code point, which for UTF-8 is the order of the bytes.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            push_tuple(&fields, text, |(name, field), text| {
                text.push('(');
                push_string(name, text);
                text.push_str(", ");
                python(field, text);
                text.push(')');
            });
        }
    }
}

fn push_number(number: &Number, text: &mut String) {
    match number.as_i64() {
        Some(integer) => text.push_str(&integer.to_string()),
        None => text.push_str(&format!("{:?}", number.as_f64().unwrap())),
    }
}

fn push_string(string: &str, text: &mut String) {
    let quote = if string.contains('\'') && !string.contains('"') {
        '"'
    } else {
        '\''
    };
    text.push(quote);
    for character in string.chars() {
        if character == quote || character == '\\' {
            text.push('\\');
        }
        text.push(character);
    }
    text.push(quote);
}

fn push_tuple<T>(items: &[T], text: &mut String, push: impl Fn(&T, &mut String)) {
    text.push('(');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        push(item, text);
    }
    if items.len() == 1 {
        text.push(',');
    }
    text.push(')');
}
