-- What a period costs, worked out by PostgreSQL: a second path, written from the definitions of the price models.
--
-- In:  :cases, a JSON array of {definition, usage, currency, part: {numerator, denominator}, already_billed: {amount}};
--      the last two may be left out. Out: one row a case, in their order.
-- All arithmetic is `numeric`. The only inexact operation is a division that does not end (20 seconds / 60): its
-- quotient is carried with 60 decimals, and the amount made from it is settled at 24 (decision 10).
WITH
minor_unit (currency, places) AS (VALUES ('USD', 2), ('EUR', 2), ('JPY', 0), ('KWD', 3)),

given AS (
    SELECT number, one -> 'definition' AS price, one -> 'usage' AS usage, one ->> 'currency' AS currency,
           one -> 'part' AS part, one -> 'already_billed' AS already_billed
      FROM jsonb_array_elements(%(cases)s::jsonb) WITH ORDINALITY AS element (one, number)
),

event AS (
    SELECT number, position, (one ->> 'quantity')::numeric AS quantity, (one ->> 'unit_amount')::numeric AS unit_amount
      FROM given, jsonb_array_elements(usage -> 'events') WITH ORDINALITY AS element (one, position)
),

term AS (
    SELECT number, currency,
           price ->> 'model' AS model,
           (usage ->> 'quantity')::numeric AS metered,
           coalesce((usage ->> 'event_count')::numeric, (SELECT count(*) FROM event WHERE event.number = given.number))
               AS event_count,
           (price ->> 'flat_amount')::numeric AS flat_amount,
           (price ->> 'unit_amount')::numeric AS unit_amount,
           (price ->> 'package_size')::numeric AS package_size,
           (price ->> 'multiplier')::numeric AS multiplier,
           (price ->> 'rate')::numeric AS rate,
           coalesce((price ->> 'fixed_amount')::numeric, 0) AS fixed_amount,
           (price ->> 'events_included')::numeric AS events_included,
           (price ->> 'amount_included')::numeric AS amount_included,
           coalesce((price ->> 'first_tier_flat_at_zero')::boolean, true) AS is_flat_at_zero,
           coalesce((price ->> 'quantity_included')::numeric, 0) AS quantity_included,
           coalesce((price -> 'convert' ->> 'multiply_by')::numeric, 1) AS multiply_by,
           coalesce((price -> 'convert' ->> 'divide_by')::numeric, 1) AS divide_by,
           coalesce(price -> 'convert' ->> 'rounding', 'none') AS rounding,
           (price ->> 'discount_percent')::numeric AS discount_percent,
           (price ->> 'discount_amount')::numeric AS discount_amount,
           (price -> 'commitment' ->> 'amount')::numeric AS promised_amount,
           (price -> 'commitment' ->> 'quantity')::numeric AS promised_quantity,
           coalesce((price -> 'commitment' ->> 'true_up')::boolean, false) AS is_trued_up,
           coalesce((price -> 'commitment' ->> 'overage_factor')::numeric, 1) AS overage_factor,
           (price ->> 'minimum_amount')::numeric AS minimum_amount,
           (price ->> 'maximum_amount')::numeric AS maximum_amount,
           coalesce((part ->> 'numerator')::numeric, 1) AS part_numerator,
           coalesce((part ->> 'denominator')::numeric, 1) AS part_denominator,
           coalesce((already_billed ->> 'amount')::numeric, 0) AS billed_amount
      FROM given
),

-- What was metered, and how it runs up: event by event for a percentage, from the dearest unit down for dynamic prices.
reading AS (
    SELECT number, 'total' AS kind, 0 AS position, metered, NULL::numeric AS unit_amount
      FROM term
    UNION ALL
    SELECT number, 'event', position, sum(event.quantity) OVER (PARTITION BY number ORDER BY position), NULL
      FROM term JOIN event USING (number)
     WHERE model = 'percentage'
    UNION ALL
    SELECT number, 'dearest', row_number() OVER dearest_first, sum(sum(event.quantity)) OVER dearest_first,
           event.unit_amount
      FROM term JOIN event USING (number)
     WHERE model = 'dynamic'
     GROUP BY number, event.unit_amount
    WINDOW dearest_first AS (PARTITION BY number ORDER BY event.unit_amount DESC)
),

-- Divided with 130 decimals, more than any quotient needs that ends.
divided AS (
    SELECT number, kind, position, reading.unit_amount, rounding, divide_by,
           reading.metered * multiply_by AS numerator,
           round(reading.metered * multiply_by, 130) / divide_by AS quotient
      FROM reading JOIN term USING (number)
),

converted AS (
    SELECT number, kind, position, unit_amount,
           rounding = 'none' AND (quotient * divide_by <> numerator OR scale(trim_scale(quotient)) >= 60) AS is_endless,
           CASE rounding
               WHEN 'down' THEN div(numerator, divide_by)
               WHEN 'up' THEN div(numerator, divide_by) + sign(mod(numerator, divide_by))
               WHEN 'half_up' THEN div(numerator + numerator + divide_by, divide_by + divide_by)
               ELSE CASE WHEN quotient * divide_by = numerator THEN trim_scale(quotient) ELSE round(quotient, 60) END
           END AS quantity
      FROM divided
),

billed AS (
    SELECT number, greatest(quantity - quantity_included, 0) AS quantity, is_endless
      FROM converted JOIN term USING (number)
     WHERE kind = 'total'
),

-- Two quantities may have to be priced: the billed one, and a promised one.
asked AS (
    SELECT number, 'billed' AS kind, quantity FROM billed
    UNION ALL
    SELECT number, 'promised', promised_quantity FROM term WHERE promised_quantity IS NOT NULL
),

tier AS (
    SELECT number, position, up_to, coalesce(unit_amount, 0) AS unit_amount, coalesce(flat_amount, 0) AS flat_amount,
           coalesce(lag(up_to) OVER (PARTITION BY number ORDER BY position), 0) AS above
      FROM (SELECT number, position, (one ->> 'up_to')::numeric AS up_to,
                   (coalesce(one ->> 'unit_amount', one ->> 'rate'))::numeric AS unit_amount,
                   (one ->> 'flat_amount')::numeric AS flat_amount
              FROM given, jsonb_array_elements(price -> 'tiers') WITH ORDINALITY AS element (one, position)) AS listed
),

-- A tier is entered when the quantity is above the bound before it; the first one always. Of volume tiers only the
-- one that the quantity falls into counts, and for all units. `least` passes over the NULL of the open tier.
tiered AS (
    SELECT number, kind,
           sum(CASE model WHEN 'volume' THEN quantity ELSE least(quantity, up_to) - above END * tier.unit_amount
               + CASE WHEN quantity > 0 OR is_flat_at_zero THEN tier.flat_amount ELSE 0 END) AS amount
      FROM asked JOIN term USING (number) JOIN tier USING (number)
     WHERE (quantity > above OR position = 1)
       AND (model <> 'volume' OR up_to IS NULL OR quantity <= up_to)
     GROUP BY number, kind
),

-- Dynamic: what is included frees the dearest units.
dearest AS (
    SELECT number, position, unit_amount, greatest(quantity - quantity_included, 0) AS quantity,
           is_endless AND quantity > quantity_included AS is_endless
      FROM converted JOIN (SELECT number, quantity_included FROM term) AS term USING (number)
     WHERE kind = 'dearest'
),
dynamic AS (
    SELECT number, sum(part * unit_amount) AS amount, bool_or(is_endless) AS is_endless
      FROM (SELECT number, unit_amount, is_endless,
                   quantity - lag(quantity, 1, 0::numeric) OVER (PARTITION BY number ORDER BY position) AS part
              FROM dearest) AS parts
     GROUP BY number
),

-- Percentage: the free part goes through the events in order and ends at whichever limit comes first.
paid AS (
    SELECT number, min(position) AS first_paid
      FROM converted JOIN term USING (number)
     WHERE kind = 'event' AND (position > events_included OR quantity > amount_included)
     GROUP BY number
),
last_free AS (
    SELECT DISTINCT ON (number) number, position AS events, quantity, is_endless
      FROM converted LEFT JOIN paid USING (number)
     WHERE kind = 'event' AND position < coalesce(first_paid, position + 1)
     ORDER BY number, position DESC
),
free AS (
    SELECT number,
           CASE WHEN events_included IS NULL AND amount_included IS NULL THEN 0
                WHEN events_included IS NULL AND fixed_amount = 0 THEN least(billed.quantity, amount_included)
                WHEN billed.quantity <= coalesce(amount_included, billed.quantity)
                     AND event_count <= coalesce(events_included, event_count) THEN billed.quantity
                WHEN first_paid IS NULL OR first_paid > events_included THEN coalesce(last_free.quantity, 0)
                ELSE amount_included END AS amount,
           CASE WHEN events_included IS NULL AND (amount_included IS NULL OR fixed_amount = 0) THEN 0
                WHEN billed.quantity <= coalesce(amount_included, billed.quantity)
                     AND event_count <= coalesce(events_included, event_count) THEN event_count
                ELSE coalesce(last_free.events, 0) END AS events,
           (events_included IS NOT NULL OR amount_included IS NOT NULL)
               AND coalesce(last_free.is_endless AND (first_paid IS NULL OR first_paid > events_included), false)
               AS is_endless
      FROM term JOIN billed USING (number) LEFT JOIN paid USING (number) LEFT JOIN last_free USING (number)
     WHERE model = 'percentage'
),

priced AS (
    SELECT number, kind,
           CASE model
               WHEN 'flat' THEN flat_amount
               WHEN 'per_unit' THEN asked.quantity * unit_amount
               WHEN 'cost_plus' THEN asked.quantity * multiplier
               WHEN 'package'
                   THEN (div(asked.quantity, package_size) + sign(mod(asked.quantity, package_size))) * unit_amount
               WHEN 'dynamic' THEN coalesce(dynamic.amount, 0)
               WHEN 'percentage'
                   THEN (asked.quantity - free.amount) * rate + (event_count - free.events) * fixed_amount
               ELSE tiered.amount
           END AS amount,
           billed.is_endless OR coalesce(dynamic.is_endless, false) OR coalesce(free.is_endless, false) AS is_endless
      FROM asked JOIN term USING (number) JOIN billed USING (number)
           LEFT JOIN tiered USING (number, kind) LEFT JOIN dynamic USING (number) LEFT JOIN free USING (number)
),

discounted AS (
    SELECT number, kind,
           CASE WHEN discount_percent IS NOT NULL THEN settled - settled * discount_percent * 0.01
                ELSE greatest(settled - coalesce(discount_amount, 0), 0) END AS amount
      FROM (SELECT number, kind,
                   CASE WHEN kind = 'billed' AND is_endless THEN round(amount, 24) ELSE amount END AS settled
              FROM priced) AS each
           JOIN term USING (number)
),

-- Charge = used within the commitment + overage + true-up. A promised quantity that is exceeded is kept, whatever it
-- costs by then; one that is not exceeded knows no overage.
used AS (
    SELECT own.number, own.amount, coalesce(promised_amount, promised.amount) AS promise,
           promised_quantity IS NULL OR billed.quantity > promised_quantity AS can_exceed,
           promised_quantity IS NULL OR billed.quantity <= promised_quantity AS can_miss
      FROM (SELECT number, amount FROM discounted WHERE kind = 'billed') AS own
           JOIN term USING (number) JOIN billed USING (number)
           LEFT JOIN (SELECT number, amount FROM discounted WHERE kind = 'promised') AS promised USING (number)
),
committed AS (
    SELECT number,
           CASE WHEN promise IS NULL THEN amount
                WHEN amount > promise AND can_exceed THEN promise + (amount - promise) * overage_factor
                WHEN amount < promise AND can_miss AND is_trued_up THEN promise
                ELSE amount END AS amount
      FROM used JOIN term USING (number)
),

-- `least` and `greatest` pass over a NULL: no limit.
limited AS (
    SELECT number, greatest(least(amount, maximum_amount), minimum_amount) AS amount
      FROM committed JOIN term USING (number)
),

prorated AS (
    SELECT number,
           CASE WHEN quotient * part_denominator = amount * part_numerator AND scale(trim_scale(quotient)) < 60
                THEN trim_scale(quotient) ELSE round(round(quotient, 60), 24) END AS amount
      FROM (SELECT number, amount, round(amount * part_numerator, 130) / part_denominator AS quotient
              FROM limited JOIN term USING (number)) AS scaled
           JOIN (SELECT number, part_numerator, part_denominator FROM term) AS term USING (number)
)

SELECT round(round(amount, places) - billed_amount, places)::text AS amount,
       trim_scale(amount - billed_amount)::text AS unrounded_amount
  FROM prorated JOIN term USING (number) JOIN minor_unit USING (currency)
 ORDER BY number
