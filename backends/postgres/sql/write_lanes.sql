INSERT INTO ff_lane_registry
SELECT jsonb_array_elements_text($1 -> 'lanes')
ON CONFLICT (lane_id) DO NOTHING
