-- What the last calls have left in the CRM's tables.

select c.id, c.unique_id as call, c.status, c.duration, p.name as contact,
       l.title as lead, l.status as lead_status, l.score,
       d.title as deal, d.reminder_date as meeting_utc,
       t.ticket_number as ticket, t.title as about,
       (select k.content from support_comments k where k.ticket_id = t.id
         order by k.id desc limit 1) as last_comment
  from calls c
  left join contacts p on p.id = c.contact_id
  left join leads l on l.id = c.lead_id
  left join deals d on d.id = c.deal_id
  left join voice.calls v on v.sid = c.unique_id
  left join support_tickets t on t.id = v.ticket_id
 order by c.id desc
 limit 5;
