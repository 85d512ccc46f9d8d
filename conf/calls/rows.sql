-- What the last calls have left in the CRM's tables.

select c.id, c.unique_id as call, c.status, c.duration, p.name as contact,
       l.title as lead, l.status as lead_is, l.score,
       d.title as deal, d.reminder_date as meeting_utc,
       (select string_agg(t.ticket_number || ': ' || t.title, E'\n'
                          order by t.id)
          from support_tickets t
         where t.description like '%' || c.unique_id || '%') as tickets,
       (select string_agg(t.ticket_number || ': ' || k.content, E'\n'
                          order by k.id)
          from support_comments k
          join support_tickets t on t.id = k.ticket_id
         where t.contact_id = c.contact_id and k.created_at
               between c.start_time
               and coalesce(c.end_time, timezone('utc', now()))) as comments
  from calls c
  left join contacts p on p.id = c.contact_id
  left join leads l on l.id = c.lead_id
  left join deals d on d.id = c.deal_id
 order by c.id desc
 limit 5;
