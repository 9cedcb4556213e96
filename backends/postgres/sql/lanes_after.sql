SELECT lane_id AS id FROM ff_lane_registry WHERE lane_id > $1 ORDER BY lane_id LIMIT $2
